import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Page, PageName } from '../front/pages.ts';
import type { Operation } from '../operations/operation.ts';
import { preferredType, takesGzip } from './accept.ts';
import { parseTagCondition } from './entity-tags.ts';
import { anyPermission, publicPermission } from './route-config.ts';

export interface FrontPageOptions {
  /** Who may read it: nobody, whoever has a valid token, or everybody. */
  readonly readers: 'off' | 'token' | 'public';
  readonly operations: readonly Operation[];
  readonly version: string;
}

const links = [
  '</openapi.json>; rel="service-desc"; type="application/json"',
  '</docs>; rel="service-doc"; type="text/html"',
].join(', ');

/**
 * Serves what Portico says about itself: `/`, `/docs`, `/openapi.json` and `/openapi.yaml`. Nothing is loaded or rendered
 * before somebody asks, and each text once. Where nobody may read them there are no such routes.
 */
export function serveFrontPage(app: FastifyInstance, { readers, operations, version }: FrontPageOptions): void {
  if (readers === 'off') return;
  const permission = readers === 'public' ? publicPermission : anyPermission;
  const caching = `${readers === 'public' ? 'public' : 'private'}, max-age=300`;
  const load = createPages(operations, version);
  const serve = (
    url: string,
    operationId: string,
    pageFor: (request: FastifyRequest, reply: FastifyReply) => PageName,
  ) =>
    app.get(url, { config: { operationId, permission, cost: 'read' } }, async (request, reply) => {
      const page = await load(pageFor(request, reply));
      // A page that cannot be made is a problem, which nobody keeps.
      reply.header('Cache-Control', caching);
      addVary(reply, 'Accept-Encoding');
      return send(request, reply, page);
    });
  serve('/', 'getIndex', ({ headers }, reply) => {
    addVary(reply, 'Accept');
    reply.header('Link', links);
    const type = preferredType(headers.accept, ['application/json', 'text/html']);
    return type === 'text/html' ? 'index.html' : 'index.json';
  });
  serve('/docs', 'getDocs', () => 'docs.html');
  serve('/openapi.json', 'getOpenApiJson', () => 'openapi.json');
  serve('/openapi.yaml', 'getOpenApiYaml', () => 'openapi.yaml');
}

/** Gives each page, made when it is first asked for. A page that could not be made is made anew for the next request. */
function createPages(operations: readonly Operation[], version: string): (name: PageName) => Promise<Page> {
  const pages = new Map<PageName, Promise<Page>>();
  return (name) => {
    const known = pages.get(name);
    if (known !== undefined) return known;
    // What makes pages is loaded with the first.
    const made = import('../front/pages.ts').then(({ makePage }) => makePage(name, operations, version));
    made.catch(() => pages.delete(name));
    pages.set(name, made);
    return made;
  };
}

/** A strong tag names the bytes, and so the coding too. */
function send({ headers }: FastifyRequest, reply: FastifyReply, page: Page): FastifyReply {
  const isCompressed = takesGzip(headers['accept-encoding']);
  const tag = isCompressed ? `${page.tag}-gzip` : page.tag;
  reply.header('ETag', `"${tag}"`);
  if (page.policy !== undefined) reply.header('Content-Security-Policy', page.policy);
  if (holds(headers['if-none-match'], tag)) return reply.code(304).send();
  if (isCompressed) reply.header('Content-Encoding', 'gzip');
  return reply.type(page.mediaType).send(isCompressed ? page.compressed : page.text);
}

/** Whether `If-None-Match` names the tag, compared weakly (RFC 9110, 13.1.2). A malformed one is ignored. */
function holds(field: string | undefined, tag: string): boolean {
  const condition = field === undefined ? undefined : parseTagCondition(field);
  return condition !== undefined && (condition === '*' || condition.some(({ value }) => value === tag));
}

function addVary(reply: FastifyReply, name: string): void {
  const present = reply.getHeader('Vary');
  reply.header('Vary', typeof present === 'string' ? `${present}, ${name}` : name);
}
