import type { FastifyRequest } from 'fastify';
import type { Logger } from '../observability/logger.ts';

/**
 * The guard that warns, once, of a balancer that Portico was not told of: all its callers would share the limits of one
 * address. It lets every request pass. Anybody can send the header, so the warning is a hint.
 */
export function noticeForwarding(
  logger: Pick<Logger, 'warn'>,
  trustProxy: readonly string[],
): (request: FastifyRequest) => void {
  let isToldOrTrusted = trustProxy.length > 0;
  return ({ headers }) => {
    if (isToldOrTrusted || headers['x-forwarded-for'] === undefined) return;
    isToldOrTrusted = true;
    logger.warn(
      'a request came with X-Forwarded-For, and PORTICO_TRUST_PROXY is not set: behind a balancer all callers share the limits of one address',
    );
  };
}
