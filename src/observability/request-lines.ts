/** What the log says of a request. Names and kinds of values are closed: nothing in it needs to be looked through. */
export interface RequestLine {
  readonly requestId: string;
  readonly method: string;
  readonly operation: string | undefined;
  readonly process: string | undefined;
  readonly instanceId: string | undefined;
  readonly status: number;
  readonly problem: string | undefined;
  /** How many items were answered with which status, where the request was made of items: `202:3 409:1`. */
  readonly items: string | undefined;
  readonly durationMs: number;
  readonly tenant: string | undefined;
  readonly subject: string | undefined;
  readonly issuer: string | undefined;
}

export interface RequestLines {
  readonly write: (level: 'info' | 'warn', line: RequestLine) => void;
}

/** The members of a line, in their order. */
export const requestLineNames = [
  'requestId',
  'method',
  'operation',
  'process',
  'instanceId',
  'status',
  'problem',
  'items',
  'durationMs',
  'tenant',
  'subject',
  'issuer',
] as const satisfies readonly (keyof RequestLine)[];

/**
 * The line as JSON, with a line break after it and none within. Only the members of a {@link RequestLine} are in it, and of
 * these only texts and numbers, whatever the object holds.
 */
export function renderRequestLine(level: 'info' | 'warn', line: RequestLine, time: Date): string {
  let text = `{"level":"${level}","time":"${time.toISOString()}"`;
  for (const name of requestLineNames) {
    const value: unknown = line[name];
    if (typeof value === 'string') text += `,"${name}":${JSON.stringify(value)}`;
    else if (typeof value === 'number' && Number.isFinite(value)) text += `,"${name}":${value}`;
  }
  return `${text},"msg":"request"}\n`;
}
