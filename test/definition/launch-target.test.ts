import { describe, expect, it } from 'vitest';
import { catalog } from '../../src/catalog/index.ts';
import { checkLaunch, launchableOf } from '../../src/definition/launch-target.ts';
import { Problem } from '../../src/problems.ts';
import { parcelsV1, probesV1 } from '../fixtures/probes.ts';

const known = [...catalog, probesV1, { ...probesV1, version: 2, collection: 'probes-anew' }, parcelsV1];
const permissions = new Set(['probes:start', 'parcels:start']);

function problemOf(work: () => unknown): unknown {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    return { code: error.code, errors: error.options.errors };
  }
}

const check = (asked: { process: string; input: unknown; key?: string; version?: number; at?: string }): unknown =>
  problemOf(() => checkLaunch(known, { key: 'k.1', permissions, ...asked }));

describe('a target to launch', () => {
  it('gets its key in the field of the key, and defaults where the body has none', () => {
    expect(check({ process: 'probes', input: { color: 'red' } })).toMatchObject({
      key: 'k.1',
      body: { color: 'red', probeId: 'k.1' },
      input: { color: 'red', probeId: 'k.1', mode: 'wait' },
    });
  });

  it('keeps the key that its input names itself', () => {
    expect(check({ process: 'probes', input: { probeId: 'own' } })).toMatchObject({ key: 'own' });
  });

  it('of a process with its key in the header is left as it is', () => {
    const input = { probeId: 'p' };
    expect(check({ process: 'parcels', input })).toMatchObject({ key: 'k.1', body: input });
  });

  it('is of the newest version unless it names one', () => {
    expect(check({ process: 'probes', input: {} })).toMatchObject({ definition: { version: 2 } });
    expect(check({ process: 'probes', version: 1, input: {} })).toMatchObject({ definition: { version: 1 } });
    expect(check({ process: 'probes', version: 3, input: {} })).toMatchObject({ code: 'invalid-request' });
  });

  it('is refused with a pointer to each thing that is wrong', () => {
    expect(check({ process: 'probes', input: { mode: 'fly', 'a/b': 1 }, at: '/action' })).toEqual({
      code: 'invalid-request',
      errors: [
        { pointer: '/action/input/mode', message: expect.any(String) as unknown },
        { pointer: '/action/input/a~1b', message: 'is not known here' },
      ],
    });
    expect(check({ process: 'nothing', input: {}, at: '/action' })).toMatchObject({
      code: 'invalid-request',
      errors: [{ pointer: '/action/process' }],
    });
    expect(check({ process: 'probes', input: 'text' })).toMatchObject({ errors: [{ pointer: '/input' }] });
  });

  it('needs a key that ids allow, hashed ones apart', () => {
    expect(check({ process: 'parcels', input: { probeId: 'p' }, key: 'any text' })).toMatchObject({ key: 'any text' });
    expect(check({ process: 'probes', input: {}, key: 'any text' })).toMatchObject({ code: 'invalid-request' });
  });

  it('is refused to whoever may not start the process, whatever the input', () => {
    expect(check({ process: 'user-grants', input: {} })).toMatchObject({ code: 'forbidden' });
  });

  it('is not judged by permissions again when it is launched', () => {
    const input = { name: 'Ada' };
    expect(launchableOf(known, { process: 'user-grants', input, key: 'u.1' })).toMatchObject({ key: 'u.1' });
  });
});
