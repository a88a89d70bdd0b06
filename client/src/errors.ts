import type { components } from './schema.ts';

/** The body of `application/problem+json` (RFC 9457), with the retry verdict. */
export type ProblemBody = components['schemas']['Problem'];
export type ProblemCode = ProblemBody['code'];

/** Whether the same request, with the same key, can end better; and what this one did. */
export interface RetryVerdict {
  readonly retryable: boolean;
  readonly effect: ProblemBody['effect'];
  /** How long to wait before the next try, in milliseconds. */
  readonly retryAfterMs?: number;
}

/** What Portico refused, or could not do. An outcome such as `compensated` is no error: it is in the answer. */
export class PorticoProblem extends Error {
  override readonly name = 'PorticoProblem';
  readonly status: number;
  readonly code: ProblemCode;
  readonly retry: RetryVerdict;
  readonly problem: ProblemBody;

  constructor(problem: ProblemBody, retryAfterMs?: number) {
    super(`${problem.status} ${problem.code}: ${problem.detail ?? problem.title}`);
    const waitMs = problem.retryAfterMs ?? retryAfterMs;
    this.status = problem.status;
    this.code = problem.code;
    this.problem = problem;
    this.retry = {
      retryable: problem.retryable,
      effect: problem.effect,
      ...(waitMs === undefined ? {} : { retryAfterMs: waitMs }),
    };
  }
}

/**
 * No answer came, or one that is not Portico's: a connection was refused or cut, time ran out, or something between
 * answered in its stead. What the request did is not known; the same one, with the same key, may be sent again.
 */
export class PorticoUnreachable extends Error {
  override readonly name = 'PorticoUnreachable';
  /** That of the answer, where there is one. */
  readonly status: number | undefined;
  /** What the answer asks for, in milliseconds. */
  readonly retryAfterMs: number | undefined;

  constructor(
    message: string,
    options: ErrorOptions & { readonly status?: number; readonly retryAfterMs?: number } = {},
  ) {
    super(message, options);
    this.status = options.status;
    this.retryAfterMs = options.retryAfterMs;
  }
}
