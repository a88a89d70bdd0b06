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

/** The id of the part of the page that tells of a problem. */
export const problemId = (code: string): string => `problem-${code}`;

/** Problems that nearly every operation can have are told of once. */
export const commonCodesOf = (operations: readonly ListedOperation[]): ReadonlySet<string> => {
  const [first = [], ...others] = operations.map(codesOf);
  return new Set(first.filter((code) => others.every((codes) => codes.includes(code))));
};

const codesOf = ({ operation }: ListedOperation): readonly string[] =>
  Object.values(operation.responses).flatMap((response) => response['x-problem-codes'] ?? []);

export const methodTag = (method: string): Html => html`<span class="method ${method}">${method}</span>`;

/** Everything about one operation, below a heading of its own. */
export function operationPart(listed: ListedOperation, document: OpenApiDocument, common: ReadonlySet<string>): Html {
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
    ${requestBody === undefined ? undefined : bodyPart(requestBody)} ${requestExample(listed)}
    <h4>Answers</h4>
    ${answers.map(([status, response]) => answerPart(status, response, document))}
    <h4>Problems</h4>
    ${problemsPart(listed, common)}
  </article> `;
}

function parametersPart(parameters: NonNullable<ListedOperation['operation']['parameters']>): Html {
  const fields = parameters.map(({ name, required = false, schema, in: place }) => ({
    name,
    isRequired: required,
    schema: { ...schema, description: `In the ${place}. ${schema.description ?? ''}`.trim() },
  }));
  return html`<h4>Parameters</h4>
    ${fieldTable(fields)}`;
}

const bodyPart = ({ required = false, content }: NonNullable<ListedOperation['operation']['requestBody']>): Html =>
  html`<h4>Body${required ? undefined : ' (optional)'}</h4>
    ${Object.entries(content).map(
      ([mediaType, { schema }]) =>
        html`<p><code>${mediaType}</code>: ${typeOf(schema)}</p>
          ${schema.$ref === undefined ? schemaTable(schema) : undefined}`,
    )}`;

/** A command to paste, with the first recorded body. */
function requestExample({ method, path, operation }: ListedOperation): Html {
  const [body] = Object.values(operation.requestBody?.content ?? {}).flatMap(examplesIn);
  const keyed = operation.parameters?.some(({ name, required }) => name === 'Idempotency-Key' && required === true);
  const lines = [
    `curl -sS ${method === 'GET' ? '' : `-X ${method} `}"$PORTICO${path}"`,
    '-H "Authorization: Bearer $TOKEN"',
    ...(keyed === true ? ["-H 'Idempotency-Key: a-key-of-yours'"] : []),
    ...(body === undefined ? [] : ["-H 'Content-Type: application/json'", `-d ${quoted(jsonOf(body.value))}`]),
  ];
  return html`<h4>Request</h4>
    <pre tabindex="0"><code>${lines.join(' \\\n  ')}</code></pre>`;
}

/** As a shell reads it. */
const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

const jsonOf = (value: unknown): string => JSON.stringify(value, undefined, 2);

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
    <pre tabindex="0"><code>${jsonOf(value)}</code></pre>
  </details>`;

function problemsPart({ operation }: ListedOperation, common: ReadonlySet<string>): Html {
  const own = Object.entries(operation.responses).flatMap(([status, response]) =>
    (response['x-problem-codes'] ?? []).filter((code) => !common.has(code)).map((code) => ({ status, code })),
  );
  return html`<p>
    ${own.map(({ status, code }, index) => html`${index === 0 ? '' : ', '}${linkTo(problemId(code), html`${status} <code>${code}</code>`)}`)}${
      own.length === 0 ? 'None but' : ', and'
    }
    ${linkTo('problems', 'those that every operation can have')}.
  </p>`;
}
