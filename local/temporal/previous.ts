import { setTimeout as sleep } from 'node:timers/promises';
import { identityOf, listenerOn } from '../processes.ts';
import { StartError } from '../start-error.ts';
import { host } from './dev-server.ts';
import { isFree, readRecord, type ServerRecord } from './ports.ts';
import { listenerAt } from './probe.ts';

const patienceMs = 5_000;
const answerMs = 3_000;

/**
 * Resolves once no server of an earlier run has this folder's database: two servers on one file corrupt it. After a kill
 * the leash ends the server within milliseconds. One that remains was started without a leash, or lost its leash and its
 * Portico at once: after five seconds this throws a {@link StartError} that names the process, and signals nobody.
 */
export async function waitForPrevious(folder: string, signal?: AbortSignal): Promise<void> {
  const last = readRecord(folder);
  if (last === undefined) return;
  for (const endsAt = Date.now() + patienceMs; await isThere(last);) {
    signal?.throwIfAborted();
    if (Date.now() >= endsAt) throw refusalFor(last, folder);
    await sleep(50);
  }
}

async function isThere(last: ServerRecord): Promise<boolean> {
  if (isRunning(last)) return true;
  if (await isFree(last.port)) return false;
  const listener = await listenerAt(`${host}:${last.port}`, last.clusterId, { timeoutMs: answerMs });
  // A server that was stopped by SIGSTOP is mute, and may go on at any moment.
  // Without a cluster's id any Temporal server on the port might be ours, unless its process is known to be gone.
  const mayBeOurs = last.clusterId !== undefined || last.process === undefined;
  return (listener === 'ours' && mayBeOurs) || (listener === 'mute' && last.process === undefined);
}

const isRunning = ({ process: last }: ServerRecord): boolean =>
  last !== undefined && identityOf(last.pid) === last.identity;

function refusalFor(last: ServerRecord, folder: string): StartError {
  const pid = isRunning(last) ? last.process?.pid : listenerOn(last.port);
  const server = pid === undefined ? `what listens on port ${last.port}` : `process ${pid}, on port ${last.port},`;
  const remedy = pid === undefined ? 'End it' : `End it (kill ${pid})`;
  return new StartError(
    `The Temporal server of an earlier run is still there: ${server} has the database in ${folder}. ` +
      `A second one would corrupt that. ${remedy}, and start again.`,
  );
}
