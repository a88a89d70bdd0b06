import { describe, expect, it } from 'vitest';
import { createLogger, neverLogged, requestLinesOf } from '../../src/observability/logger.ts';
import { renderRequestLine, type RequestLine, requestLineNames } from '../../src/observability/request-lines.ts';
import { silentLogger } from '../harness/silent-logger.ts';

const line: RequestLine = {
  requestId: 'r-1',
  method: 'POST',
  operation: 'startThing',
  process: 'things',
  instanceId: undefined,
  status: 202,
  problem: undefined,
  items: undefined,
  durationMs: 3,
  tenant: 'acme',
  subject: 'alice',
  issuer: 'https://issuer.example',
};

const rendered = (given: object) => renderRequestLine('info', { ...line, ...given }, new Date(0));

describe('the line of a request', () => {
  it('has what is known, in its order, as JSON on one line', () => {
    expect(rendered({})).toBe(
      '{"level":"info","time":"1970-01-01T00:00:00.000Z","requestId":"r-1","method":"POST","operation":"startThing",' +
        '"process":"things","status":202,"durationMs":3,"tenant":"acme","subject":"alice",' +
        '"issuer":"https://issuer.example","msg":"request"}\n',
    );
  });

  it('has no member that may hold what nobody should read', () => {
    expect(requestLineNames.filter((name) => neverLogged.includes(name))).toEqual([]);
  });

  it.each(neverLogged)('shows no member called %s, wherever it comes from', (name) => {
    expect(rendered({ [name]: 'canary', subject: { [name]: 'canary' }, tenant: ['canary'] })).not.toContain('canary');
  });

  it('stays one line of JSON whatever the texts hold', () => {
    const subject = 'a"}\r\n{"level":"fatal"}\u2028\\\u0000\ud800';
    const text = rendered({ subject, durationMs: Number.NaN });
    expect(text.indexOf('\n')).toBe(text.length - 1);
    expect(JSON.parse(text)).toMatchObject({ level: 'info', subject });
    expect(JSON.parse(text)).not.toHaveProperty('durationMs');
  });
});

describe('the lines of requests', () => {
  function recording(level: string, isTTY = false) {
    const written: string[] = [];
    const logger = createLogger({ level, destination: { isTTY, write: (text: string) => written.push(text) } });
    return { lines: requestLinesOf(logger), written };
  }

  it('keep to the level of the log', () => {
    const { lines, written } = recording('warn');
    lines.write('info', line);
    lines.write('warn', line);
    expect(written.map((text) => JSON.parse(text) as object)).toMatchObject([{ level: 'warn', msg: 'request' }]);
    requestLinesOf(silentLogger).write('warn', line);
  });

  it('are readable on a terminal', () => {
    const { lines, written } = recording('info', true);
    lines.write('info', line);
    expect(written.join('')).toMatch(/^[\d:.]+ INFO {2}request requestId=r-1 method=POST operation=startThing/);
  });
});
