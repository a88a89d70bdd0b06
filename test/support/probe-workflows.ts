import { ApplicationFailure, condition, defineQuery, defineUpdate, setHandler } from '@temporalio/workflow';
import type { ActionAnswer, ActionCall, Envelope } from '../../src/catalog/envelope.ts';
import { handleAction, recallActions } from '../../workflows/actions.ts';
import { continueInstance } from '../../workflows/continuation.ts';
import { endWith, enterStep } from '../../workflows/instance.ts';
import type { Note, PingAnswer, ProbeInput, ProbeOutput, Progress } from './probes.ts';

export const ping = defineUpdate<ActionAnswer<PingAnswer>, [ActionCall<Note>]>('ping');
export const renew = defineUpdate<ActionAnswer<PingAnswer>, [ActionCall<Note>]>('renew');
export const finish = defineUpdate<ActionAnswer<PingAnswer>, [ActionCall<Note>]>('finish');
export const drop = defineUpdate<ActionAnswer<PingAnswer>, [ActionCall<Note>]>('drop');
export const progress = defineQuery<Progress>('progress');

type Verdict = 'finish' | 'drop' | 'renew';

async function run(by: 'first' | 'second', envelope: Envelope<ProbeInput>, before: number): Promise<ProbeOutput> {
  recallActions(envelope.answered);
  let pings = before;
  let verdict: Verdict | undefined;
  const accept = { validate: () => undefined };
  handleAction(ping, {
    ...accept,
    apply: () => {
      pings += 1;
      enterStep('pinged');
      return { pings };
    },
  });
  const decide = (next: Verdict) => () => {
    verdict = next;
    return { pings };
  };
  handleAction(renew, { ...accept, apply: decide('renew') });
  handleAction(finish, { ...accept, apply: decide('finish') });
  handleAction(drop, { ...accept, apply: decide('drop') });
  setHandler(progress, () => ({ pings, by }));

  if (envelope.input.mode === 'fail') throw ApplicationFailure.nonRetryable('told to fail');
  if (envelope.input.mode === 'wait') await condition(() => verdict !== undefined);
  if (verdict === 'renew') return continueInstance(envelope, pings);
  return endWith(verdict === 'drop' ? { outcome: 'dropped', by } : { outcome: 'completed', by, pings });
}

export const probes = (envelope: Envelope<ProbeInput>, pings = 0): Promise<ProbeOutput> =>
  run('first', envelope, pings);

export const probesAnew = (envelope: Envelope<ProbeInput>, pings = 0): Promise<ProbeOutput> =>
  run('second', envelope, pings);
