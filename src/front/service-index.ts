import type { Operation } from '../operations/operation.ts';
import type { TagObject } from './document.ts';
import { type Html, html, prose } from './html.ts';
import { pageOf } from './page.ts';

/** What Portico serves, for a program that knows its address alone. */
export interface ServiceIndex {
  readonly name: string;
  readonly version: string;
  readonly description: string;
  readonly links: Readonly<
    Record<'docs' | 'openapi' | 'openapiYaml', { readonly href: string; readonly method: 'GET' }>
  >;
  readonly resources: readonly IndexedResource[];
}

interface IndexedResource {
  readonly name: string;
  readonly summary?: string;
  /** The path that the paths of all its operations begin with. */
  readonly path: string;
  /** Present where the resource is a process: what starts an instance. */
  readonly start?: {
    readonly operationId: string;
    readonly href: string;
    readonly method: string;
    readonly permission: string;
  };
}

/** The index of these operations; what their resources are is told by the tags of the document. */
export function indexOf(operations: readonly Operation[], version: string, tags: readonly TagObject[]): ServiceIndex {
  const names = [...new Set(operations.map(({ tag }) => tag))];
  return {
    name: 'Portico',
    version,
    description: 'Durable business processes behind plain HTTP.',
    links: {
      docs: { href: '/docs', method: 'GET' },
      openapi: { href: '/openapi.json', method: 'GET' },
      openapiYaml: { href: '/openapi.yaml', method: 'GET' },
    },
    resources: names.map((name) =>
      resourceOf(
        name,
        tags.find((tag) => tag.name === name)?.description,
        operations.filter(({ tag }) => tag === name),
      ),
    ),
  };
}

function resourceOf(name: string, summary: string | undefined, operations: readonly Operation[]): IndexedResource {
  const start = operations.find(({ cost, process: processName }) => cost === 'start' && processName !== undefined);
  const path = /^(\/[^/{]+)+/.exec(operations[0]?.path ?? '')?.[0] ?? '/';
  const resource = { name, ...(summary === undefined ? {} : { summary }), path };
  if (start === undefined) return resource;
  const { operationId, path: href, method, permission } = start;
  return { ...resource, start: { operationId, href, method, permission } };
}

/** The same as one page for people. */
export function indexPage({ name, version, description, links, resources }: ServiceIndex): string {
  const body = html`<main id="content">
    <h1>${name} <small>${version}</small></h1>
    <p>
      ${description} Services start a process by its business key and get a crash-proof saga: once for a key, however
      often they ask, and with errors that say whether to retry.
    </p>
    <p>
      <a href="${links.docs.href}">Read the reference</a>, or take <a href="${links.openapi.href}">openapi.json</a> or
      <a href="${links.openapiYaml.href}">openapi.yaml</a>. A program that asks for JSON here gets this page as JSON.
    </p>
    <h2>What it serves</h2>
    <div class="wide">
      <table>
        <thead>
          <tr>
            <th scope="col">resource</th>
            <th scope="col">what it is</th>
            <th scope="col">started by</th>
          </tr>
        </thead>
        <tbody>
          ${resources.map(
            ({ name: resource, path, summary, start }) =>
              html`<tr>
                <td>${linkInto(links.docs.href, resource, path)}</td>
                <td>${prose(summary ?? '')}</td>
                <td>
                  ${start === undefined ? undefined : linkInto(links.docs.href, start.operationId, start.operationId)}
                </td>
              </tr> `,
          )}
        </tbody>
      </table>
    </div>
  </main>`;
  return pageOf({ title: `${name} ${version}`, body }).markup;
}

const linkInto = (page: string, id: string, text: string): Html =>
  html`<a href="${page}#${encodeURIComponent(id)}"><code>${text}</code></a>`;
