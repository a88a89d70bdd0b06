import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Metafile } from 'esbuild';

/** The licences of the packages that programs consist of, as these ask for wherever copies of them go. */
export function noticesOf(project: string, programs: readonly Metafile[]): string {
  const folders = new Set(programs.flatMap(({ inputs }) => Object.keys(inputs).flatMap(packageOf)));
  const texts = [...folders].sort().map((folder) => noticeOf(join(project, folder)));
  return `This program consists of Portico and of these packages.\n\n${texts.join('\n')}`;
}

/** The folder of the package that a file belongs to; none for a file of ours. */
function packageOf(file: string): readonly string[] {
  const [folder] = /^.*node_modules\/(@[^/]+\/)?[^/]+/.exec(file) ?? [];
  return folder === undefined ? [] : [folder];
}

function noticeOf(folder: string): string {
  const described = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
    readonly name: string;
    readonly version: string;
    readonly license?: unknown;
  };
  const files = readdirSync(folder).filter((name) => /^(licen[cs]e|notice|copying)\b/i.test(name));
  const texts = files.map((name) => readFileSync(join(folder, name), 'utf8').trim());
  const license = typeof described.license === 'string' ? described.license : JSON.stringify(described.license);
  return ['-'.repeat(72), `${described.name} ${described.version}: ${license}`, '', ...texts, ''].join('\n');
}
