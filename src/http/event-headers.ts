import { Problem, type ProblemError } from '../problems.ts';

/**
 * The attributes of an event in binary mode (CloudEvents 1.0.2, HTTP binding, 3.1.3), from the header fields as they came.
 * Undefined where no field is of an event. Throws `invalid-request`.
 */
export function attributesIn(rawHeaders: readonly string[]): Record<string, string> | undefined {
  const attributes = new Map<string, string>();
  const errors: ProblemError[] = [];
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const field = rawHeaders[at]?.toLowerCase() ?? '';
    if (!field.startsWith('ce-')) continue;
    const name = field.slice(3);
    const value = decoded(rawHeaders[at + 1] ?? '');
    const fault = attributes.has(name) ? 'must come once' : (reserved[name] ?? value.fault);
    if (fault !== undefined) errors.push({ parameter: field.slice(0, 128), message: fault });
    attributes.set(name, value.text);
  }
  if (errors.length > 0)
    throw new Problem('invalid-request', { detail: 'A header of the event does not fit.', errors });
  return attributes.size === 0 ? undefined : Object.fromEntries(attributes);
}

const reserved: Readonly<Partial<Record<string, string>>> = {
  datacontenttype: 'must not come: Content-Type says it',
  data: 'must not come: the body is the data',
  data_base64: 'must not come: the body is the data',
};

const quotedText = /^"((?:[^"\\]|\\.)*)"$/;

/** The value without quotes, then percent-decoded once. What is no UTF-8 is a fault, an overlong form too. */
function decoded(raw: string): { text: string; fault?: string } {
  const trimmed = raw.trim();
  // Printable ASCII, and what stands between words.
  if (/[^\t\x20-\x7e]/.test(trimmed)) return { text: '', fault: 'must be percent-encoded outside of ASCII' };
  const quoted = quotedText.exec(trimmed)?.[1];
  if (quoted === undefined && trimmed.startsWith('"')) return { text: '', fault: 'lacks a quote' };
  try {
    return { text: decodeURIComponent(quoted === undefined ? trimmed : quoted.replaceAll(/\\(.)/g, '$1')) };
  } catch {
    return { text: '', fault: 'is not percent-encoded UTF-8' };
  }
}

/** The problem of an event as one that came in binary mode: attributes are headers, and the body is the data. */
export function asOfHeaders(problem: Problem): Problem {
  const { errors } = problem.options;
  if (errors === undefined) return problem;
  return new Problem(problem.code, { ...problem.options, errors: errors.map(ofHeaders) });
}

function ofHeaders({ pointer, ...error }: ProblemError): ProblemError {
  if (pointer === undefined) return error;
  if (pointer === '/data' || pointer.startsWith('/data/')) return { pointer: pointer.slice('/data'.length), ...error };
  return { parameter: `ce-${pointer.slice(1)}`, ...error };
}
