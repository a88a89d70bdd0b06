import { writeFileSync } from 'node:fs';
import type { Reporter, TestModule } from 'vitest/node';
import { z } from 'zod';

/** The counts of a test run. A file that cannot be loaded, and an error outside any test, count as failed. */
export const testReport = z.object({
  passed: z.number(),
  failed: z.number(),
  skipped: z.array(z.object({ file: z.string(), name: z.string(), reason: z.string() })),
});

export type TestReport = z.output<typeof testReport>;

/** The environment variable that names the file of the report. */
export const reportVariable = 'TEST_REPORT_FILE';

/** A reporter for vitest. Unlike vitest's JSON it keeps the reason that `context.skip('…')` gives. */
export default class ReportWriter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly unknown[]): void {
    const file = process.env[reportVariable];
    if (file !== undefined) writeFileSync(file, JSON.stringify(reportOf(modules, unhandled.length)));
  }
}

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
  };
}
