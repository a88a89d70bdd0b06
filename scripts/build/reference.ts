import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { renderReference } from '../../src/front/rendering.ts';

const project = join(import.meta.dirname, '..', '..');

/** Renders `openapi.yaml` as the program shows it, into `<output>/reference`. */
export function writeReference(output: string): void {
  const folder = join(output, 'reference');
  mkdirSync(folder, { recursive: true });
  for (const [file, text] of Object.entries(renderReference(readFileSync(join(project, 'openapi.yaml'), 'utf8')))) {
    writeFileSync(join(folder, file), text);
  }
}
