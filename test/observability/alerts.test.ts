import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { createMetrics } from '../../src/observability/metrics.ts';
import { checkRules, hasPromtool } from '../harness/promtool.ts';

const folder = new URL('../../deploy/alerts/', import.meta.url);
const files = readdirSync(folder).filter((name) => name.endsWith('.yaml'));

const ruleFile = z.object({
  groups: z.array(
    z.object({
      rules: z.array(z.object({ alert: z.string(), expr: z.string(), annotations: z.object({ summary: z.string() }) })),
    }),
  ),
});

const rules = files.flatMap((name) =>
  ruleFile.parse(parse(readFileSync(new URL(name, folder), 'utf8'))).groups.flatMap((group) => group.rules),
);

describe('the alert rules', () => {
  it.runIf(hasPromtool)('are valid for Prometheus', () => {
    const said = checkRules(files.map((name) => new URL(name, folder).pathname));
    expect(said).not.toMatch(/^exit|FAILED/);
    expect(said).toMatch(/SUCCESS: \d+ rules found/);
  });

  it('ask for metrics that Portico has, and are described to operators', async () => {
    const exposed = await createMetrics({ version: '1.2.3', role: 'all' }).text();
    const documented = readFileSync(new URL('../../docs/operations.md', import.meta.url), 'utf8');
    expect(rules.length).toBeGreaterThan(0);
    for (const { alert, expr } of rules) {
      const names = expr.match(/portico_[a-z_]+/g) ?? [];
      expect(names.length, alert).toBeGreaterThan(0);
      for (const name of names) expect(exposed, alert).toContain(`# TYPE ${name} `);
      expect(documented).toContain(alert);
    }
  });
});
