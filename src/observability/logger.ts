import { type Logger, pino, stdTimeFunctions } from 'pino';
import { readableLineOf } from './readable-line.ts';

export type { Logger };

/** A destination of log lines, such as `process.stdout`. */
export interface LogDestination {
  write(text: string): unknown;
  readonly isTTY?: boolean;
}

/**
 * The program's logger: one JSON object a line, or on a terminal one readable line. Line breaks in values are escaped,
 * so nobody can forge a line. Members that may hold a token, a secret, an amount or a body are shown as `[redacted]`.
 * Callers must not rely on that: they pass no such values.
 */
export function createLogger(options: { level: string; destination?: LogDestination }): Logger {
  const destination = options.destination ?? process.stdout;
  return pino(
    {
      level: options.level,
      base: null,
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: toLoggedError },
      redact: { paths: redacted, censor: '[redacted]' },
    },
    {
      write: (line: string) => destination.write(destination.isTTY === true ? readableLineOf(line) : line),
    },
  );
}

const neverLogged = [
  'authorization',
  'cookie',
  'token',
  'secret',
  'password',
  'apiKey',
  'idempotencyKey',
  'headers',
  'body',
  'rawBody',
  'payload',
  'input',
  'amount',
  'minor',
];

const redacted = neverLogged.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]);

interface LoggedError {
  readonly type: string;
  readonly message: string;
  readonly code?: string;
  readonly stack?: string;
  readonly cause?: LoggedError;
}

const causesShown = 5;

/**
 * The parts of an error that the log shows: kind, message, code, stack and causes. Other members are left out, because
 * drivers keep rows and requests in them.
 */
function toLoggedError(error: unknown, depth = 0): LoggedError {
  if (!(error instanceof Error)) return { type: typeof error, message: 'something that is no Error was thrown' };
  const code = 'code' in error && typeof error.code === 'string' ? { code: error.code } : {};
  const cause =
    error.cause === undefined || depth >= causesShown ? {} : { cause: toLoggedError(error.cause, depth + 1) };
  const stack = error.stack === undefined ? {} : { stack: error.stack };
  return { type: error.name, message: error.message, ...code, ...stack, ...cause };
}
