import { parse } from 'yaml';
import { problems } from '../problem-table.ts';
import type { OpenApiDocument } from './document.ts';
import { referencePage } from './reference-page.ts';

/** The texts of the reference by the names of their files. */
export type ReferenceTexts = Readonly<Record<(typeof referenceFiles)[number], string>>;

export const referenceFiles = ['openapi.yaml', 'openapi.json', 'docs.html'] as const;

/** Renders the reference from the text of `openapi.yaml`. Takes about half a second of processor time. */
export function renderReference(yaml: string): ReferenceTexts {
  const document = parse(yaml) as OpenApiDocument;
  return {
    'openapi.yaml': yaml,
    'openapi.json': JSON.stringify(document),
    'docs.html': referencePage(document, problems),
  };
}
