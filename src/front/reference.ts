import { readFile } from 'node:fs/promises';
import type { ReferenceTexts } from './rendering.ts';

export type ReferenceFile = keyof ReferenceTexts;

const isSource = import.meta.url.endsWith('.ts');

/** What `npm run build` rendered. */
const builtFolder = new URL('../../reference/', import.meta.url);

const sourceFile = new URL('../../openapi.yaml', import.meta.url);

let rendered: Promise<ReferenceTexts> | undefined;

/**
 * Gives a text of the reference: what the build rendered, or, where the program runs from its sources, what is rendered
 * when the first text is asked for. Rejects where the build is not whole.
 */
export async function readReference(file: ReferenceFile): Promise<string> {
  return isSource ? (await (rendered ??= renderSource()))[file] : readFile(new URL(file, builtFolder), 'utf8');
}

async function renderSource(): Promise<ReferenceTexts> {
  // The build leaves the renderer out.
  const { renderReference } = await import('./rendering.ts');
  return renderReference(await readFile(sourceFile, 'utf8'));
}
