import { writeFileSync } from 'node:fs';
import { relative } from 'node:path';
import type { Reporter, TestModule, TestSpecification } from 'vitest/node';
import { z } from 'zod';

/** The counts of a test run. A file that cannot be loaded, and an error outside any test, count as failed. */
export const testReport = z.object({
  passed: z.number(),
  failed: z.number(),
  skipped: z.array(z.object({ file: z.string(), name: z.string(), reason: z.string() })),
  /** Those that passed, and not at the first try. */
  retried: z.array(z.object({ file: z.string(), name: z.string() })),
});

export type TestReport = z.output<typeof testReport>;

/** The environment variable that names the file of the report. */
export const reportVariable = 'TEST_REPORT_FILE';

/** The environment variable that says how many milliseconds lie between two lines of progress; 0 for none. */
export const progressVariable = 'TEST_PROGRESS_MS';

/**
 * A reporter for vitest. Unlike vitest's JSON it keeps why a test was left out. While tests run it prints a line of
 * progress, where {@link progressVariable} asks for it.
 */
export default class ReportWriter implements Reporter {
  readonly #startedAt = performance.now();
  readonly #running = new Map<string, number>();
  #timer: NodeJS.Timeout | undefined;
  #done = 0;

  onTestRunStart(files: readonly TestSpecification[]): void {
    const everyMs = Number(process.env[progressVariable] ?? '0');
    if (everyMs > 0) this.#timer = setInterval(() => console.log(this.#progress(files.length)), everyMs).unref();
  }

  onTestModuleQueued({ moduleId }: TestModule): void {
    this.#running.set(moduleId, performance.now());
  }

  onTestModuleEnd({ moduleId }: TestModule): void {
    this.#running.delete(moduleId);
    this.#done += 1;
  }

  #progress(count: number): string {
    // A map keeps its order: those that run for longest come first.
    const running = [...this.#running].map(
      ([file, startedAt]) => `${relative(process.cwd(), file)} for ${secondsSince(startedAt)}`,
    );
    const what = running.length === 0 ? 'nothing runs' : running.join(', ');
    return `PROGRESS ${this.#done} of ${count} files done after ${secondsSince(this.#startedAt)}; ${what}`;
  }

  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly unknown[]): void {
    clearInterval(this.#timer);
    const file = process.env[reportVariable];
    if (file !== undefined) writeFileSync(file, JSON.stringify(reportOf(modules, unhandled.length)));
  }
}

const secondsSince = (startedAt: number): string => `${Math.round((performance.now() - startedAt) / 1_000)} s`;

function reportOf(modules: readonly TestModule[], unhandled: number): TestReport {
  const tests = modules.flatMap((module) => [...module.children.allTests()]);
  const brokenModules = modules.filter((module) => module.errors().length > 0);
  const brokenSuites = modules
    .flatMap((module) => [...module.children.allSuites()])
    .filter((s) => s.errors().length > 0);
  const skipped = tests.flatMap((test) => {
    const result = test.result();
    if (result.state !== 'skipped') return [];
    return [{ file: test.module.moduleId, name: test.fullName, reason: result.note ?? 'no reason given' }];
  });
  return {
    passed: tests.filter((test) => test.result().state === 'passed').length,
    failed:
      tests.filter((test) => test.result().state === 'failed').length +
      brokenModules.length +
      brokenSuites.length +
      unhandled,
    skipped,
    retried: tests
      .filter((test) => test.diagnostic()?.flaky)
      .map((test) => ({ file: test.module.moduleId, name: test.fullName })),
  };
}
