import type { Operation } from '../operations/operation.ts';
import { createReference, type ReferenceFile } from './reference.ts';
import { indexOf, indexPage } from './service-index.ts';

/** Gives each text of the front page by its name. */
export function createTexts(
  operations: readonly Operation[],
  version: string,
): (name: ReferenceFile | 'index.html' | 'index.json') => Promise<string> {
  const reference = createReference();
  return (name) => {
    if (name === 'index.json') return Promise.resolve(JSON.stringify(indexOf(operations, version)));
    if (name === 'index.html') return Promise.resolve(indexPage(indexOf(operations, version)));
    return reference(name);
  };
}
