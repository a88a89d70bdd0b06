import { readFileSync } from 'node:fs';
import { SourceMap } from 'node:module';
import { beforeAll, describe, expect, it } from 'vitest';
import { bundleWorkflows } from '../../src/worker/bundle.ts';
import { silentLogger } from '../harness/silent-logger.ts';

const file = new URL('../../workflows/transfers.ts', import.meta.url).pathname;

describe('the bundle of the workflows', () => {
  let lines: string[];
  let map: ConstructorParameters<typeof SourceMap>[0];
  let code: string;
  beforeAll(async () => {
    code = await bundleWorkflows({ logger: silentLogger });
    lines = code.split('\n');
    const text = lines.find((line) => line.startsWith('//# sourceMappingURL=data:')) ?? '';
    map = JSON.parse(Buffer.from(text.slice(text.indexOf('base64,') + 7), 'base64').toString()) as typeof map;
  });

  it('tells of each line where it stands in the sources, and does not carry them', () => {
    const isMarked = (line: string) => line.includes('undo.push(refund);');
    const { originalSource, originalLine } = new SourceMap(map).findEntry(lines.findIndex(isMarked), 10) as {
      originalSource?: string;
      originalLine?: number;
    };
    expect(originalSource).toBe(file);
    expect(readFileSync(file, 'utf8').split('\n')[originalLine ?? 0]).toContain('undo.push(refund);');
    expect(Object.keys(map)).not.toContain('sourcesContent');
  });

  it('is a text of one byte for each character', () => {
    expect(code.search(/[^\0-\xff]/)).toBe(-1);
  });
});
