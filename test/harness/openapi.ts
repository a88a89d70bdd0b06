import { readFileSync } from 'node:fs';
import { Ajv2020 as Ajv, type ValidateFunction } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { parse } from 'yaml';

interface Exchange {
  readonly method: string;
  /** Path without query. */
  readonly path: string;
  /** Its media type is application/json unless told otherwise. */
  readonly requestType?: string | undefined;
  readonly requestBody?: unknown;
  readonly status: number;
  readonly contentType: string;
  /** Undefined where they are not known. */
  readonly headers: Headers | undefined;
  readonly body: unknown;
}

interface MediaTypes {
  readonly content?: Record<string, unknown>;
  readonly headers?: Record<string, { readonly $ref: string }>;
}
interface OperationObject {
  readonly requestBody?: MediaTypes & { readonly required?: boolean };
  readonly responses: Record<string, MediaTypes & { readonly description: string }>;
}
interface Document {
  readonly components: { readonly headers: Record<string, { readonly required?: boolean }> };
  readonly paths: Record<string, Record<string, OperationObject>>;
}

const text = readFileSync(new URL('../../openapi.yaml', import.meta.url), 'utf8');
const document = parse(text) as Document;
const ajv = new Ajv({ strict: false, allErrors: true });
addFormats.default(ajv);
ajv.addSchema(document, 'openapi');

const compiled = new Map<string, ValidateFunction>();

function validatorAt(...segments: string[]): ValidateFunction {
  const pointer = segments.map((segment) => encodeURIComponent(segment.replaceAll('~', '~0').replaceAll('/', '~1')));
  const reference = `openapi#/${pointer.join('/')}`;
  const known = compiled.get(reference) ?? ajv.compile({ $ref: reference });
  compiled.set(reference, known);
  return known;
}

/** The path template of openapi.yaml that a path belongs to. */
function templateOf(path: string): string | undefined {
  return Object.keys(document.paths).find((template) =>
    new RegExp(`^${template.replaceAll('.', '\\.').replaceAll(/\{\w+\}/g, '[^/]+')}$`).test(path),
  );
}

/**
 * Throws unless openapi.yaml knows the operation, the status, the media type and the headers of an exchange, and unless
 * the bodies fit their schemas. A request that was refused need not fit; one that was accepted must.
 */
export function checkAgainstOpenApi(exchange: Exchange): void {
  const template = templateOf(exchange.path);
  // RFC 9110, 9.3.2: HEAD is GET without the body.
  const isHead = exchange.method === 'HEAD';
  const method = isHead ? 'get' : exchange.method.toLowerCase();
  const operation = template === undefined ? undefined : document.paths[template]?.[method];
  if (template === undefined || operation === undefined) {
    // Only what Portico does not serve may be missing.
    if (exchange.status === 404 || exchange.status === 405) return;
    throw new Error(`openapi.yaml has no ${exchange.method} ${exchange.path}, which answered ${exchange.status}`);
  }
  const at = ['paths', template, method];
  const response = operation.responses[String(exchange.status)];
  const where = `${exchange.method} ${template} ${exchange.status}`;
  if (response === undefined) throw new Error(`openapi.yaml does not list ${where}`);
  if (response.content === undefined && exchange.body === undefined) return;
  const mediaType = exchange.contentType.split(';')[0] ?? '';
  if (response.content?.[mediaType] === undefined) throw new Error(`openapi.yaml has no ${mediaType} for ${where}`);
  if (isHead) return;
  check(validatorAt(...at, 'responses', String(exchange.status), 'content', mediaType, 'schema'), exchange.body, where);
  const code = codeIn(exchange.body);
  if (mediaType === 'application/problem+json' && !response.description.includes(`\`${code}\``)) {
    throw new Error(`openapi.yaml does not name ${code} for ${where}`);
  }
  for (const [name, { $ref: reference }] of Object.entries(response.headers ?? {})) {
    const header = document.components.headers[reference.replace('#/components/headers/', '')];
    if (header === undefined) throw new Error(`openapi.yaml has no ${reference}`);
    if (header.required && exchange.headers?.has(name) === false) throw new Error(`${where} lacks the header ${name}`);
  }
  const { requestBody } = operation;
  const requestType = exchange.requestType?.split(';')[0] ?? 'application/json';
  // A body that is not required may be absent.
  const hasBody = requestBody?.required === true || exchange.requestBody !== undefined;
  if (exchange.status < 300 && requestBody !== undefined && hasBody) {
    check(
      validatorAt(...at, 'requestBody', 'content', requestType, 'schema'),
      exchange.requestBody,
      `the request of ${where}`,
    );
  }
}

const codeIn = (body: unknown): string =>
  typeof body === 'object' && body !== null && 'code' in body ? String(body.code) : '';

function check(validate: ValidateFunction, value: unknown, what: string): void {
  if (!validate(value)) throw new Error(`${what} does not fit openapi.yaml: ${ajv.errorsText(validate.errors)}`);
}
