import { promises } from 'node:dns';
import { isLoopbackName } from './urls.ts';

export interface Resolved {
  readonly address: string;
  readonly family: 4 | 6;
}

/** Every address of a name. Rejects where there is none, or no answer in time. */
export type Resolve = (host: string) => Promise<readonly Resolved[]>;

/**
 * Asks the name servers of this machine, and not its hosts file. The system's own resolver (`dns.lookup`) takes one of
 * four threads for each name, so four name servers that hang would hold up everything else.
 */
export function resolverOf(servers?: readonly string[]): Resolve {
  const resolver = new promises.Resolver({ timeout: 1_500, tries: 2 });
  if (servers !== undefined) resolver.setServers(servers);
  return async (host) => {
    if (isLoopbackName(host)) {
      return [
        { address: '127.0.0.1', family: 4 },
        { address: '::1', family: 6 },
      ];
    }
    const [v4, v6] = await Promise.allSettled([resolver.resolve4(host), resolver.resolve6(host)]);
    const found = [...toResolved(v4, 4), ...toResolved(v6, 6)];
    if (found.length === 0) throw new Error('the name has no address', { cause: reasonOf(v4) ?? reasonOf(v6) });
    return found;
  };
}

const toResolved = (answer: PromiseSettledResult<readonly string[]>, family: 4 | 6): Resolved[] =>
  answer.status === 'fulfilled' ? answer.value.map((address) => ({ address, family })) : [];

const reasonOf = (answer: PromiseSettledResult<unknown>): unknown =>
  answer.status === 'rejected' ? answer.reason : undefined;
