import { type ListedOperation, type OpenApiDocument, operationsIn, type TagObject } from './document.ts';
import { type Content, type Html, html, linkTo, prose } from './html.ts';
import {
  commonCodesOf,
  exampleOf,
  methodTag,
  operationPart,
  type ProblemDescriptions,
  problemId,
  type Told,
} from './operations.ts';
import { pageOf } from './page.ts';
import { schemaId, schemaTable } from './schemas.ts';

interface Chapter {
  readonly tag: TagObject;
  readonly operations: readonly ListedOperation[];
}

/** The reference as one page of HTML, which needs no script: everything in the document, and what each problem means. */
export function referencePage(document: OpenApiDocument, problems: ProblemDescriptions): string {
  const operations = operationsIn(document);
  const told: Told = { document, problems, common: commonCodesOf(operations) };
  const chapters = document.tags.map((tag) => ({
    tag,
    operations: operations.filter(({ operation }) => operation.tags[0] === tag.name),
  }));
  const { title, version } = document.info;
  const body = html`<div class="page">
    ${contentsPart(chapters)}
    <main id="content">
      ${introduction(document)} ${chapters.map((chapter) => chapterPart(chapter, told))} ${problemsPart(told)}
      ${schemasPart(document)}
    </main>
  </div>`;
  return pageOf({ title: `${title} ${version}: reference`, body }).markup;
}

const contentsPart = (chapters: readonly Chapter[]): Html =>
  html`<nav class="contents" aria-label="Contents">
    <ul>
      <li>${linkTo('content', 'Start here')}</li>
      ${chapters.map(
        ({ tag: { name }, operations }) =>
          html`<li>
            ${linkTo(name, name)}
            <ul>
              ${operations.map(
                ({ operation }) => html`<li>${linkTo(operation.operationId, operation.operationId)}</li>`,
              )}
            </ul>
          </li> `,
      )}
      <li>${linkTo('problems', 'Problems')}</li>
      <li>${linkTo('schemas', 'Schemas')}</li>
    </ul>
  </nav>`;

const introduction = ({ info }: OpenApiDocument): Html =>
  html`<h1>${info.title} <small>${info.version}</small></h1>
    <p>
      ${prose(info.description ?? '')} This page is made from <a href="/openapi.json">openapi.json</a> (also as
      <a href="/openapi.yaml">openapi.yaml</a>); its examples were recorded from real answers.
    </p>
    <h2 id="first">Before the first request</h2>
    <ul>
      <li>
        <strong>Token.</strong> Each request carries <code>Authorization: Bearer …</code>. The token names the tenant
        and the permissions; each operation below says which one it needs. What belongs to another tenant looks as if it
        did not exist.
      </li>
      <li>
        <strong>Keys.</strong> A start happens once for its business key, however often it is sent:
        <code>Idempotency-Status</code> says whether it <code>created</code> the instance, <code>joined</code> it, or
        <code>replayed</code> its end.
      </li>
      <li>
        <strong>Waiting.</strong> <code>Prefer: wait=10</code> holds an answer until the instance has ended, for so many
        seconds at most.
      </li>
      <li>
        <strong>Retrying.</strong> Each problem says whether it is <code>retryable</code>, what <code>effect</code> the
        request had, and after how many milliseconds to try again. Repeat with the same key while
        <code>retryable</code> is true.
      </li>
    </ul>
    <p>In the examples <code>$PORTICO</code> is the address of this service and <code>$TOKEN</code> your token.</p>`;

const chapterPart = ({ tag, operations }: Chapter, told: Told) =>
  html`<section id="${tag.name}" aria-labelledby="${tag.name}-title">
    <h2 id="${tag.name}-title">${linkTo(tag.name, tag.name)}</h2>
    <p>${prose(tag.description ?? '')}</p>
    ${stepsPart(tag)}
    <ul class="list">
      ${operations.map(
        ({ method, path, operation }) =>
          html`<li>${methodTag(method)} <code>${path}</code> ${linkTo(operation.operationId, operation.summary)}</li>`,
      )}
    </ul>
    ${operations.map((operation) => operationPart(operation, told))}
  </section> `;

/** Where an instance may stand, and how it may end. */
function stepsPart({ 'x-steps': steps = [], 'x-outcomes': outcomes = [] }: TagObject): Content {
  if (steps.length === 0) return undefined;
  return html`<details>
    <summary>Steps and outcomes</summary>
    <div class="wide">
      <table class="fields">
        <thead>
          <tr>
            <th scope="col">step</th>
            <th scope="col">meaning</th>
            <th scope="col">waits for</th>
            <th scope="col">actions</th>
          </tr>
        </thead>
        <tbody>
          ${steps.map(
            ({ name, label, waitsFor, actions = [] }) =>
              html`<tr>
                <td><code>${name}</code></td>
                <td>${label}</td>
                <td>${waitsFor}</td>
                <td>${codes(actions)}</td>
              </tr>`,
          )}
        </tbody>
      </table>
    </div>
    <p>Outcomes: ${codes(outcomes)}.</p>
  </details>`;
}

const codes = (names: readonly string[]): Html =>
  html`${names.map((name, index) => html`${index === 0 ? '' : ', '}<code>${name}</code>`)}`;

function problemsPart({ document: { components }, problems, common }: Told): Html {
  // What no operation can have is an example of the schema.
  const others = components.schemas['Problem']?.examples ?? [];
  const recorded = (code: string): unknown =>
    components.examples?.[code]?.value ?? others.find((body) => (Object(body) as { code?: unknown }).code === code);
  const rows = Object.entries(problems).map(([code, { status, title, retryable, effect }]) => {
    const example = recorded(code);
    return html`<tr id="${problemId(code)}">
      <td>${status} <code>${code}</code></td>
      <td>
        ${prose(title)}.${
          common.has(code) ? ' Every operation can have it.' : undefined
        }${example === undefined ? undefined : exampleOf('Recorded', example)}
      </td>
      <td>${retryable ? 'yes' : 'no'}</td>
      <td>${effect}</td>
    </tr> `;
  });
  return html`<section id="problems" aria-labelledby="problems-title">
    <h2 id="problems-title">${linkTo('problems', 'Problems')}</h2>
    <p>
      Every failure is <code>application/problem+json</code> (RFC 9457), a ${linkTo(schemaId('Problem'), 'Problem')}.
    </p>
    <div class="wide">
      <table>
        <thead>
          <tr>
            <th scope="col">problem</th>
            <th scope="col">meaning</th>
            <th scope="col">retryable</th>
            <th scope="col">effect</th>
          </tr>
        </thead>
        <tbody>
          ${rows}
        </tbody>
      </table>
    </div>
  </section>`;
}

const schemasPart = ({ components }: OpenApiDocument): Html =>
  html`<section id="schemas" aria-labelledby="schemas-title">
    <h2 id="schemas-title">${linkTo('schemas', 'Schemas')}</h2>
    ${Object.entries(components.schemas).map(
      ([name, schema]) =>
        html`<article id="${schemaId(name)}" aria-labelledby="${schemaId(name)}-title">
          <h3 id="${schemaId(name)}-title">${linkTo(schemaId(name), name)}</h3>
          ${schemaTable(schema)}
        </article> `,
    )}
  </section>`;
