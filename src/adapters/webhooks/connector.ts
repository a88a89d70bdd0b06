import type { Socket } from 'node:net';
import type { buildConnector } from 'undici';
import type { AddressRule } from './addresses.ts';
import type { Resolve } from './resolve.ts';

export interface ConnectorOptions {
  readonly isAllowedAddress: AddressRule;
  readonly resolve: Resolve;
  /** Authorities beside those of Node.js; only tests have any. */
  readonly ca?: Buffer | undefined;
}

/** What kept a connection from being made before anything was sent. */
type Refusal = 'address-not-allowed' | 'dns';

const refusals = new WeakMap<Error, Refusal>();

const refuse = (refusal: Refusal, cause?: unknown): Error => {
  const error = new Error(`no connection: ${refusal}`, { cause });
  refusals.set(error, refusal);
  return error;
};

const reset = (): Error => Object.assign(new Error('the connection was reset'), { code: 'ECONNRESET' });

/** Why {@link guardedConnectorOf} made no connection, if the error says so. */
export function refusalOf(error: unknown): Refusal | undefined {
  if (!(error instanceof Error)) return undefined;
  return refusals.get(error) ?? refusalOf(error.cause);
}

interface Limits {
  /** How long the attempt may take in all, in milliseconds. */
  readonly limitMs: number;
  /** Ends a connection at any time. */
  readonly signal: AbortSignal;
}

// Enough for a first packet that was lost, which is sent again after a second. Node.js waits a quarter of a second.
const longestAddressMs = 2_500;

/** How long an address may take before the next of the same name is tried. The last one has all that is left. */
const addressMsOf = (limitMs: number): number => Math.min(longestAddressMs, Math.ceil(limitMs / 4));

type LookupDone = (error: Error | null, address?: unknown, family?: number) => void;

/**
 * Connects to addresses that the rule allows, and to no other: each answer for a name is judged at the moment of the
 * connection, and the connection goes to what was judged. A single answer that is not allowed refuses the name. The
 * lookup is never called for a literal address: whoever calls has judged that.
 */
export function guardedConnectorOf(
  build: typeof buildConnector,
  { isAllowedAddress, resolve, ca }: ConnectorOptions,
  { limitMs, signal }: Limits,
): buildConnector.connector {
  async function judgedAddressesOf(host: string) {
    const answers = await resolve(host).catch((error: unknown) => {
      throw refuse('dns', error);
    });
    if (!answers.every(({ address }) => isAllowedAddress(address))) throw refuse('address-not-allowed');
    return answers;
  }
  const lookup = (host: string, { all }: { readonly all?: boolean }, done: LookupDone): void =>
    void judgedAddressesOf(host).then(
      (answers) => {
        if (all === true) done(null, answers);
        else done(null, answers[0]?.address, answers[0]?.family);
      },
      (error: unknown) => done(error as Error),
    );
  const options = {
    lookup,
    // The caller's time limit is the only one. Nothing is remembered between attempts.
    timeout: 0,
    maxCachedSessions: 0,
    autoSelectFamily: true,
    autoSelectFamilyAttemptTimeout: addressMsOf(limitMs),
    ...(ca && { ca }),
  } as buildConnector.BuildOptions;
  // The connector gives the socket back before it is connected, although its type does not say so.
  const connect = build(options) as unknown as (...args: Parameters<buildConnector.connector>) => Socket;

  return (asked, done) => {
    const connecting = connect(asked, (...made) => {
      const [error, socket] = made;
      const address = socket?.remoteAddress;
      if (error !== null || (address !== undefined && isAllowedAddress(address))) {
        done(...made);
        return;
      }
      socket.destroy();
      // A peer has no address any more once it has closed the connection.
      done(address === undefined ? reset() : refuse('address-not-allowed'), null);
    });
    const end = () => void connecting.destroy(new Error('the attempt was ended'));
    signal.addEventListener('abort', end);
    connecting.once('close', () => signal.removeEventListener('abort', end));
  };
}
