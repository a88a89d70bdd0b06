import { type ProblemKind, problems } from './problem-table.ts';

export type ProblemCode = keyof typeof problems;

/** One thing that is wrong with the request. `pointer` is an RFC 6901 pointer into the body, `parameter` a query or header name. */
export interface ProblemError {
  readonly pointer?: string;
  readonly parameter?: string;
  readonly message: string;
}

interface ProblemOptions {
  /** A sentence of ours about this case. Never built from a caller's input or a library's text. */
  readonly detail?: string;
  readonly errors?: readonly ProblemError[];
  /** Overrides the table's waiting time, in milliseconds. */
  readonly retryAfterMs?: number;
  /** Overrides the table where the same failure on a mutation leaves its effect unknown. */
  readonly effect?: ProblemKind['effect'];
  /** Extra response header fields, such as `Allow` or `WWW-Authenticate`. */
  readonly headers?: Readonly<Record<string, string>>;
  /** True where any stranger can bring the problem about: it is counted, logged and followed up like a 401. */
  readonly isRefusal?: boolean;
  readonly cause?: unknown;
}

/** A failure a caller may see. Anything else that is thrown becomes `internal` and is logged with its cause. */
export class Problem extends Error {
  readonly code: ProblemCode;
  readonly options: ProblemOptions;

  constructor(code: ProblemCode, options: ProblemOptions = {}) {
    const { stackTraceLimit } = Error;
    // The place where a request was refused is never logged, and to note it costs a tenth of the refusal.
    if (code !== 'internal') Error.stackTraceLimit = 0;
    super(options.detail ?? problems[code].title, { cause: options.cause });
    Error.stackTraceLimit = stackTraceLimit;
    this.name = 'Problem';
    this.code = code;
    this.options = options;
  }

  get kind(): ProblemKind {
    return problems[this.code];
  }

  /** Whether the request was refused for want of a token that can be verified. */
  get isRefusal(): boolean {
    return this.code === 'unauthenticated' || this.options.isRefusal === true;
  }
}

/** The media type of every problem. */
export const problemMediaType = 'application/problem+json';
