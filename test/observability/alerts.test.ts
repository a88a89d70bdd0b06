import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createMetrics } from '../../src/observability/metrics.ts';
import { checkRules, hasPromtool, testRules } from '../harness/promtool.ts';

const root = join(import.meta.dirname, '..', '..');
const folder = join(root, 'deploy', 'alerts');
const files = readdirSync(folder).map((file) => join(folder, file));

describe('the alert rules', () => {
  it.runIf(hasPromtool)('satisfy promtool', () => {
    expect(files.length).toBeGreaterThan(0);
    expect(files.map((file) => checkRules(file)).filter((said) => said !== '')).toEqual([]);
  });

  it.runIf(hasPromtool)('fire when they should, and not before', () => {
    const played = join(import.meta.dirname, 'alert-rules');
    const said = readdirSync(played).map((file) => testRules(join(played, file)));
    expect(said.filter((complaint) => complaint !== '')).toEqual([]);
  });

  it('ask for metrics that there are', async () => {
    const exposition = await createMetrics({ version: '1.2.3', role: 'worker' }).text();
    const known = new Set(
      [...exposition.matchAll(/^# TYPE (\w+) (\w+)$/gm)].flatMap(([, name = '', type]) =>
        type === 'histogram' ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name],
      ),
    );
    const asked = files.flatMap((file) => readFileSync(file, 'utf8').match(/\bportico_\w+/g) ?? []);
    expect(asked.length).toBeGreaterThan(0);
    expect([...new Set(asked)].filter((name) => !known.has(name))).toEqual([]);
  });

  it('send operators to a chapter that there is', () => {
    const operations = readFileSync(join(root, 'docs', 'operations.md'), 'utf8').replaceAll('`', '');
    const chapters = new Set([...operations.matchAll(/^## (.+)$/gm)].map(([, title]) => title));
    const named = files.flatMap((file) =>
      [...readFileSync(file, 'utf8').matchAll(/docs\/operations\.md, "([^"]+)"/g)].map(([, title]) => title),
    );
    expect([...new Set(named)].filter((title) => !chapters.has(title))).toEqual([]);
  });
});
