import type { FastifyReply } from 'fastify';

/**
 * Aborts when the caller goes before its answer is written. Fastify's own signal and time limit end with the arrival of
 * the body (docs/decisions/0007-request-signals.md), which leaves a POST without both.
 */
export function controlOf({ raw }: FastifyReply): AbortController {
  const control = new AbortController();
  const abortIfUnwritten = () => {
    if (!raw.writableFinished) control.abort();
  };
  if (raw.destroyed) abortIfUnwritten();
  else raw.on('close', abortIfUnwritten);
  return control;
}
