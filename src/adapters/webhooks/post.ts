import { setTimeout as sleep } from 'node:timers/promises';
import { type ConnectorOptions, guardedConnectorOf, refusalOf } from './connector.ts';

interface Message {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  /** How long the attempt may take in all, in milliseconds. */
  readonly limitMs: number;
  /** Ends the attempt at whatever stands open. */
  readonly signal: AbortSignal;
}

/** The head of an answer, or in one word why there is none. */
export type Reply =
  { readonly status: number; readonly retryAfter: string | string[] | undefined } | { readonly failure: string };

// The head decides. The body is read so that the receiver can end in peace, and never kept.
const longestBodyBytes = 65_536;
const bodyPatienceMs = 1_000;

/**
 * Sends one POST over a connection of its own, which no proxy of the environment and no redirect takes elsewhere. Resolves
 * to a failure where no answer came. Rejects with the signal's reason where the signal aborted.
 */
export const posterOf =
  (options: ConnectorOptions) =>
  async ({ url, headers, body, limitMs, signal }: Message): Promise<Reply> => {
    const { buildConnector, Client } = await import('undici');
    signal.throwIfAborted();
    const client = new Client(url.origin, {
      connect: guardedConnectorOf(buildConnector, options, { limitMs, signal }),
      // Closes the connection after one answer.
      pipelining: 0,
      headersTimeout: 0,
      bodyTimeout: 0,
      maxHeaderSize: 16_384,
    });
    const end = () => void client.destroy();
    signal.addEventListener('abort', end);
    try {
      const path = `${url.pathname}${url.search}`;
      const answer = await client.request({ method: 'POST', path, headers, body, signal });
      const dumped = answer.body.dump({ limit: longestBodyBytes, signal }).catch(() => undefined);
      await Promise.race([dumped, sleep(bodyPatienceMs, undefined, { ref: false })]);
      return { status: answer.statusCode, retryAfter: answer.headers['retry-after'] };
    } catch (error) {
      signal.throwIfAborted();
      return { failure: failureOf(error) };
    } finally {
      signal.removeEventListener('abort', end);
      await client.destroy().catch(() => undefined);
    }
  };

const words: readonly (readonly [code: RegExp, word: string])[] = [
  [/^ECONNREFUSED$/, 'refused'],
  [/^(ECONNRESET|EPIPE|UND_ERR_SOCKET|UND_ERR_CLOSED|UND_ERR_DESTROYED)$/, 'reset'],
  [/^(ENETUNREACH|EHOSTUNREACH|EADDRNOTAVAIL)$/, 'unreachable'],
  [/^ETIMEDOUT$/, 'timeout'],
  [/^(HTTPParserError|HPE_|UND_ERR_HEADERS_OVERFLOW|UND_ERR_RES)/, 'invalid-response'],
  [/^(ERR_TLS|ERR_SSL|EPROTO|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO|HOSTNAME_MISMATCH)/, 'tls'],
];

function failureOf(error: unknown): string {
  const refusal = refusalOf(error);
  if (refusal !== undefined) return refusal;
  if (!(error instanceof Error)) return 'connection';
  // Some errors of the parser have a name of their own and no code.
  const code = 'code' in error && typeof error.code === 'string' ? error.code : error.name;
  return words.find(([pattern]) => pattern.test(code))?.[1] ?? 'connection';
}
