import {
  isSuccess,
  type ListedOperation,
  type MediaObject,
  nameIn,
  type OpenApiDocument,
  type ResponseObject,
} from './document.ts';
import { type Content, type Html, html, linkTo, prose } from './html.ts';
import { fieldTable, schemaTable, typeOf } from './schemas.ts';

/** What is told of a problem beside its recorded example. */
export interface ProblemDescription {
  readonly status: number;
  readonly title: string;
  readonly retryable: boolean;
  readonly effect: string;
}

export type ProblemDescriptions = Readonly<Record<string, ProblemDescription>>;

/** What the whole page tells. */
export interface Told {
  readonly document: OpenApiDocument;
  readonly problems: ProblemDescriptions;
  /** The codes of the problems that every operation can have. They are told of once. */
  readonly common: ReadonlySet<string>;
}

/** The id of the part of the page that tells of a problem. */
export const problemId = (code: string): string => `problem-${code}`;

/** The codes of the problems that every one of the operations can have. */
export const commonCodesOf = (operations: readonly ListedOperation[]): ReadonlySet<string> => {
  const [first = [], ...others] = operations.map(codesOf);
  return new Set(first.filter((code) => others.every((codes) => codes.includes(code))));
};

const codesOf = ({ operation }: ListedOperation): readonly string[] =>
  Object.values(operation.responses).flatMap((response) => response['x-problem-codes'] ?? []);

export const methodTag = (method: string): Html => html`<span class="method ${method}">${method}</span>`;

/** Everything about one operation, below a heading of its own. */
export function operationPart(listed: ListedOperation, told: Told): Html {
  const { document } = told;
  const { method, path, operation } = listed;
  const { operationId, parameters = [], requestBody, responses } = operation;
  const answers = Object.entries(responses).filter(([status]) => isSuccess(status));
  return html`<article id="${operationId}" aria-labelledby="${operationId}-title">
    <h3 id="${operationId}-title">${linkTo(operationId, operation.summary)}</h3>
    <p class="path">${methodTag(method)} <code>${path}</code></p>
    <dl>
      <dt>Operation</dt>
      <dd><code>${operationId}</code></dd>
      <dt>Permission</dt>
      <dd><code>${operation['x-permission']}</code></dd>
    </dl>
    ${parameters.length === 0 ? undefined : parametersPart(parameters)}
    ${requestBody === undefined ? undefined : bodyPart(requestBody, document)} ${requestPart(listed)}
    <h4>Answers</h4>
    ${answers.map(([status, response]) => answerPart(status, response, document))} ${problemsPart(listed, told)}
  </article> `;
}

function parametersPart(parameters: NonNullable<ListedOperation['operation']['parameters']>): Html {
  const fields = parameters.map(({ name, required = false, schema, in: place }) => ({
    name,
    isRequired: required,
    schema: { ...schema, description: `In the ${place}. ${schema.description ?? ''}`.trim() },
  }));
  return html`<h4>Parameters</h4>
    ${fieldTable(fields, 'parameter')}`;
}

function bodyPart(
  { required = false, content }: NonNullable<ListedOperation['operation']['requestBody']>,
  { components }: OpenApiDocument,
): Html {
  const parts = Object.entries(content).map(([mediaType, { schema }]) => {
    if (schema.$ref === undefined)
      return html`<p><code>${mediaType}</code></p>
        ${schemaTable(schema)}`;
    const named = components.schemas[nameIn(schema.$ref)];
    return html`<p><code>${mediaType}</code>: ${typeOf(schema)}</p>
      ${named === undefined ? undefined : schemaTable(named)}`;
  });
  return html`<h4>Body${required ? undefined : ' (optional)'}</h4>
    ${parts}`;
}

/** A command to paste, with the first recorded body; the other bodies below it. */
function requestPart({ method, path, operation }: ListedOperation): Html {
  const [first, ...others] = Object.entries(operation.requestBody?.content ?? {}).flatMap(([mediaType, media]) =>
    examplesIn(media).map((example) => ({ ...example, mediaType })),
  );
  const keyed = operation.parameters?.some(({ name, required }) => name === 'Idempotency-Key' && required === true);
  const lines = [
    `curl -sS ${method === 'GET' ? '' : `-X ${method} `}"$PORTICO${path}"`,
    '-H "Authorization: Bearer $TOKEN"',
    ...(keyed === true ? ["-H 'Idempotency-Key: a-key-of-yours'"] : []),
    ...(first === undefined ? [] : [`-H 'Content-Type: ${first.mediaType}'`, `-d ${quoted(textOf(first.value))}`]),
  ];
  return html`<h4>Request</h4>
    ${first === undefined ? undefined : html`<p class="soft">With the recorded body <code>${first.name}</code>:</p>`}
    <pre tabindex="0"><code>${lines.join(' \\\n  ')}</code></pre>
    ${others.map(({ name, value }) => exampleOf(`Body, recorded: ${name}`, value))}`;
}

/** As a shell reads it. */
const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

/** A text that is no JSON, such as lines of JSON, is recorded as it is. */
const textOf = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value, undefined, 2));

/** The recorded examples of a media type. Those of problems stand with the problems. */
const examplesIn = ({ examples = {} }: MediaObject) =>
  Object.entries(examples).flatMap(([name, example]) => ('value' in example ? [{ name, value: example.value }] : []));

function answerPart(status: string, response: ResponseObject, document: OpenApiDocument): Html {
  const contents = Object.entries(response.content ?? {});
  return html`<p><strong>${status}</strong> ${prose(response.description)}</p>
    ${contents.map(([mediaType, { schema }]) => html`<p><code>${mediaType}</code>: ${typeOf(schema)}</p>`)}
    ${headersPart(response, document)}
    ${contents.flatMap(([, media]) => examplesIn(media)).map(({ name, value }) => exampleOf(`Answer, recorded: ${name}`, value))}`;
}

function headersPart({ headers = {} }: ResponseObject, { components }: OpenApiDocument): Content {
  const told = Object.entries(headers).map(([name, header]) => {
    const { description = '' } = '$ref' in header ? (components.headers?.[nameIn(header.$ref)] ?? {}) : header;
    return html`<dt><code>${name}</code></dt>
      <dd>${prose(description)}</dd>`;
  });
  return told.length === 0 ? undefined : html`<dl>${told}</dl>`;
}

export const exampleOf = (title: string, value: unknown): Html =>
  html`<details>
    <summary>${title}</summary>
    <pre tabindex="0"><code>${textOf(value)}</code></pre>
  </details>`;

function problemsPart({ operation }: ListedOperation, { common, problems }: Told): Html {
  const own = Object.entries(operation.responses).flatMap(([status, response]) =>
    (response['x-problem-codes'] ?? []).filter((code) => !common.has(code)).map((code) => ({ status, code })),
  );
  return html`<h4>Problems</h4>
    <ul class="list">
      ${own.map(
        ({ status, code }) =>
          html`<li>${status} <code>${linkTo(problemId(code), code)}</code> ${problems[code]?.title}</li> `,
      )}
      <li>${linkTo('problems', 'Those that every operation can have')}</li>
    </ul>`;
}
