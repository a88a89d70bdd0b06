import { promises } from 'node:dns';
import { withTimeLimit } from '../../timing/time-limit.ts';
import { isLoopbackName } from './urls.ts';

export interface Resolved {
  readonly address: string;
  readonly family: 4 | 6;
}

/** Every address of a name. Rejects where there is none, or no answer in time. */
export type Resolve = (host: string) => Promise<readonly Resolved[]>;

/** One who has the addresses of one family waits for those of the other for so long (RFC 8305, 3, has 50 ms). */
const otherFamilyMs = 300;

/**
 * Asks the name servers of this machine, and not its hosts file. The system's own resolver (`dns.lookup`) takes one of
 * four threads for each name, so four name servers that hang would hold up everything else. Name servers that never answer
 * for one family hold up no name that has addresses of the other.
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
    const found: Resolved[] = [];
    const reasons: unknown[] = [];
    const ask = (answer: Promise<string[]>, family: 4 | 6): Promise<unknown> =>
      answer.then(
        (addresses) => found.push(...addresses.map((address) => ({ address, family }))),
        (reason: unknown) => reasons.push(reason),
      );
    const asked = [ask(resolver.resolve4(host), 4), ask(resolver.resolve6(host), 6)];
    await Promise.race(asked);
    const all = Promise.all(asked);
    await (found.length === 0 ? all : withTimeLimit(all, otherFamilyMs).catch(() => undefined));
    if (found.length === 0) throw new Error('the name has no address', { cause: reasons[0] });
    // A copy: what comes later has been judged by nobody.
    return found.toSorted((a, b) => a.family - b.family);
  };
}
