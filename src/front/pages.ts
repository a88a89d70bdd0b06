import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { Operation } from '../operations/operation.ts';
import type { OpenApiDocument } from './document.ts';
import { readReference, type ReferenceFile } from './reference.ts';
import { indexOf, indexPage } from './service-index.ts';

export type PageName = ReferenceFile | 'index.html' | 'index.json';

/** A text, with what answers say of it. */
export interface Page {
  readonly text: Buffer;
  readonly compressed: Buffer;
  /** Without quotes. */
  readonly tag: string;
  readonly mediaType: string;
  /** The policy of an HTML page: its own style, its own icon and nothing else. */
  readonly policy?: string;
}

const htmlType = 'text/html; charset=utf-8';
const jsonType = 'application/json; charset=utf-8';

const mediaTypes: Readonly<Record<PageName, string>> = {
  'index.html': htmlType,
  'docs.html': htmlType,
  'index.json': jsonType,
  'openapi.json': jsonType,
  // Registered by RFC 9512.
  'openapi.yaml': 'application/yaml',
};

/** Makes a page. Rejects where the build is not whole. */
export async function makePage(name: PageName, operations: readonly Operation[], version: string): Promise<Page> {
  const text = await textOf(name, operations, version);
  const mediaType = mediaTypes[name];
  const bytes = Buffer.from(text);
  return {
    text: bytes,
    compressed: await promisify(gzip)(bytes),
    tag: createHash('sha256').update(bytes).digest('base64url').slice(0, 22),
    mediaType,
    ...(mediaType === htmlType ? { policy: policyFor(text) } : {}),
  };
}

async function textOf(name: PageName, operations: readonly Operation[], version: string): Promise<string> {
  if (name !== 'index.json' && name !== 'index.html') return readReference(name);
  const { tags } = JSON.parse(await readReference('openapi.json')) as Pick<OpenApiDocument, 'tags'>;
  const index = indexOf(operations, version, tags);
  return name === 'index.json' ? JSON.stringify(index) : indexPage(index);
}

function policyFor(page: string): string {
  const [, style = ''] = /<style>([^<]*)<\/style>/.exec(page) ?? [];
  const hash = createHash('sha256').update(style).digest('base64');
  const allowed = `style-src 'sha256-${hash}'; img-src data:`;
  return `default-src 'none'; ${allowed}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;
}
