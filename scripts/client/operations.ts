/** What the document says of one operation, as far as a client needs it. */
interface DocumentedOperation {
  readonly operationId: string;
  readonly tags: readonly string[];
  readonly parameters?: readonly { readonly in: string; readonly name: string; readonly required?: boolean }[];
  readonly requestBody?: { readonly required?: boolean; readonly content: Readonly<Record<string, unknown>> };
  readonly responses: Readonly<Record<string, { readonly headers?: Readonly<Record<string, unknown>> }>>;
}

export interface OpenApiDocument {
  readonly paths: Readonly<Record<string, Readonly<Record<string, DocumentedOperation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, unknown>> };
}

/** One row of the client's table: how an operation is called, and how it is sent. */
export interface ClientOperation {
  readonly method: string;
  readonly path: string;
  /** The property of the client, and the function of it. */
  readonly resource: string;
  readonly call: string;
  /** What it does with an `Idempotency-Key`. */
  readonly key: 'needed' | 'taken' | 'none';
  readonly body: 'needed' | 'taken' | 'none';
  readonly query: boolean;
  readonly lists: boolean;
  readonly waits: boolean;
}

/** Every operation of the document by its id. Throws where two would have one name. */
export function clientOperationsOf(document: OpenApiDocument): Record<string, ClientOperation> {
  const rows: Record<string, ClientOperation> = {};
  const names = new Set<string>();
  for (const [path, methods] of Object.entries(document.paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      const row = rowOf(method.toUpperCase(), path, operation);
      const name = `${row.resource}.${row.call}`;
      if (names.has(name)) throw new Error(`two operations would be called ${name}`);
      names.add(name);
      rows[operation.operationId] = row;
    }
  }
  return rows;
}

function rowOf(method: string, path: string, operation: DocumentedOperation): ClientOperation {
  const { operationId, parameters = [], requestBody } = operation;
  const [tag = ''] = operation.tags;
  const named = (name: string) => parameters.find((parameter) => parameter.name === name);
  const key = named('Idempotency-Key');
  return {
    method,
    path,
    resource: camel(tag),
    call: callOf(operationId, tag),
    key: key === undefined ? 'none' : key.required ? 'needed' : 'taken',
    body: requestBody === undefined ? 'none' : requestBody.required ? 'needed' : 'taken',
    query: parameters.some((parameter) => parameter.in === 'query'),
    lists: method === 'GET' && named('cursor') !== undefined,
    waits: named('Prefer') !== undefined,
  };
}

/** The operation's id without the resource in it: `startTransfer` of `transfers` is `start`, `getTransferHold` `getHold`. */
function callOf(operationId: string, tag: string): string {
  const plural = pascal(tag);
  const noun = [plural, plural.replace(/s$/, '')].find((each) => operationId.includes(each));
  return noun === undefined ? operationId : operationId.replace(noun, '');
}

const pascal = (tag: string): string => tag.replaceAll(/(?:^|-)(\w)/g, (_, letter: string) => letter.toUpperCase());
const camel = (tag: string): string => tag.replaceAll(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
