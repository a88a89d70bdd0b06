import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import type { Figure } from './arithmetic.ts';

/** A table for people. Cells are texts; the first column names the row. */
export interface Table {
  readonly title: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** What a suite gives: tables, and the figures of the goals by their rows. */
export interface SuiteResult {
  readonly tables: readonly Table[];
  readonly figures: Readonly<Record<string, Figure>>;
}

const project = join(import.meta.dirname, '..', '..');

/** A figure with its spread, and how many windows count where some do not. */
export function cell({ value, low, high, quiet, rounds, isNoisy }: Figure, digits = 0): string {
  const text = `${value.toFixed(digits)} (${low.toFixed(digits)}–${high.toFixed(digits)})`;
  return isNoisy ? `${text} noisy, ${quiet} of ${rounds} quiet` : text;
}

/** The table with its columns aligned. */
export function textOf({ title, head, rows }: Table): string {
  const widths = head.map((_, column) => Math.max(...[head, ...rows].map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]) =>
    row
      .map((text, column) => (column === 0 ? text.padEnd(widths[0] ?? 0) : text.padStart(widths[column] ?? 0)))
      .join('   ');
  return ['', title, line(head), ...rows.map(line)].join('\n');
}

/** What the figures were measured with. */
export function facts() {
  const { dependencies } = JSON.parse(readFileSync(join(project, 'package.json'), 'utf8')) as {
    readonly dependencies: Readonly<Record<string, string>>;
  };
  return {
    commit: git('rev-parse', 'HEAD'),
    isClean: git('status', '--porcelain') === '',
    node: process.version,
    dependencies,
    machine: { cpu: cpus()[0]?.model ?? 'unknown', cores: cpus().length, memoryBytes: totalmem() },
  };
}

function git(...args: string[]): string {
  try {
    return execFileSync('git', args, { cwd: project, encoding: 'utf8' }).trim();
  } catch {
    return 'unknown';
  }
}

/** Writes what a run gave into a file of its own, and tells its name. */
export function writeResults(name: string, results: unknown): string {
  const folder = join(project, 'bench', 'results');
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `${name}-${new Date().toISOString().replaceAll(/[:.]/g, '-')}.json`);
  writeFileSync(file, JSON.stringify(results, undefined, 2));
  return file;
}
