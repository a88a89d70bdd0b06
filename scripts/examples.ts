import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Examples, exchangesByOperation, problemsByCode } from '../src/operations/openapi-examples.ts';

/** Where `npm run record:examples` keeps what it recorded: a file for each tag, and one for the problems. */
export const examplesFolder = join(import.meta.dirname, '..', 'docs', 'examples');

export const problemsFile = 'problems.json';

/** The recorded examples, in the order of their names. */
export function readExamples(): Examples {
  const files = readdirSync(examplesFolder).sort();
  const exchanges = files.filter((file) => file !== problemsFile).map((file) => exchangesByOperation.parse(read(file)));
  const problems = files.includes(problemsFile) ? problemsByCode.parse(read(problemsFile)) : {};
  return { exchanges: Object.assign({}, ...exchanges) as Examples['exchanges'], problems };
}

const read = (file: string): unknown => JSON.parse(readFileSync(join(examplesFolder, file), 'utf8'));
