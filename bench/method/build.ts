import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import ts from 'typescript';
import { buildProgram, warmPrograms } from '../../scripts/build/program.ts';

const project = join(import.meta.dirname, '..', '..');
const output = join(project, '.portico-bench');

/** Where the compiled program lies, as deep below the project as that of the image. */
export const compiled = (file: string): string => join(output, file.replace(/\.ts$/, '.js'));

/** The workflow bundle that was built with it. */
export const bundleFile = join(output, 'workflow-bundle.js');

/**
 * Builds the service as the image has it and compiles its peers, unless that was done since they changed. What runs from
 * source runs slower: the loader gives each function a name anew whenever it is created.
 */
export async function build(): Promise<void> {
  const sources = ['src', 'workflows', 'activities', 'bench/load', 'bench/method', 'bench/peers', 'bench/servers']
    .concat('scripts/build')
    .flatMap(filesIn)
    // What a program of the benchmark shares with tests.
    .concat('test/servers/name-server.ts');
  const hash = createHash('sha256').update(readFileSync(join(project, 'package-lock.json')));
  for (const file of sources) hash.update(file).update(readFileSync(join(project, file)));
  const digest = hash.digest('hex');
  const stamp = join(output, 'digest');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === digest) return;
  rmSync(output, { recursive: true, force: true });
  for (const file of sources) compile(file);
  await buildProgram(output);
  const bundle = ['--import', 'tsx', 'scripts/bundle.ts', bundleFile];
  const { status } = spawnSync(process.execPath, bundle, { cwd: project, stdio: 'inherit' });
  if (status !== 0) throw new Error('the workflows could not be bundled');
  await warmPrograms(output);
  writeFileSync(stamp, digest);
}

const filesIn = (folder: string): string[] =>
  readdirSync(join(project, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.(ts|sql)$/.test(name))
    .map((name) => join(folder, name));

function compile(file: string): void {
  const target = compiled(file);
  mkdirSync(dirname(target), { recursive: true });
  if (!file.endsWith('.ts')) {
    cpSync(join(project, file), target);
    return;
  }
  const { outputText } = ts.transpileModule(readFileSync(join(project, file), 'utf8'), {
    fileName: file,
    compilerOptions: {
      target: ts.ScriptTarget.ES2023,
      module: ts.ModuleKind.ESNext,
      rewriteRelativeImportExtensions: true,
      verbatimModuleSyntax: true,
    },
  });
  writeFileSync(target, outputText);
}
