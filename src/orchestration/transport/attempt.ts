import { status as grpcCode } from '@grpc/grpc-js';
import { type Answer, failureOf, readAnswer } from './answer.ts';
import type { Channel } from './channel.ts';
import type { SessionRequest } from './session.ts';
import type { Ending } from './streams.ts';

export interface Attempt {
  /** Whether the server may have got something of it. */
  isSent: () => boolean;
  /** Ends it without an answer. */
  cancel: () => void;
}

/** Sends one request over a connection with room for it, and reads its answer. Knows no time limit and no retries. */
export function beginAttempt(
  channel: Channel,
  request: Pick<SessionRequest, 'headers' | 'body'>,
  onAnswer: (answer: Answer) => void,
): Attempt {
  let isSent = false;
  let cancelRequest = (): void => undefined;
  const endWaiting = channel.acquire({
    onSession(session) {
      isSent = true;
      cancelRequest = session.request({ ...request, onEnd: (ending) => onAnswer(answerOf(ending)) });
    },
    onFailure: (reason) => onAnswer(failureOf(grpcCode.UNAVAILABLE, `No connection established: ${reason}`, 'unsent')),
  });
  return {
    isSent: () => isSent,
    cancel() {
      endWaiting();
      cancelRequest();
    },
  };
}

function answerOf(ending: Ending): Answer {
  if (ending.kind === 'answered') return readAnswer(ending.headers, ending.body);
  const evidence = ending.kind === 'refused' ? 'refused' : 'unknown';
  return failureOf(grpcCode.UNAVAILABLE, `No answer: ${ending.reason}`, evidence);
}
