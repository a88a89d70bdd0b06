import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { catalog } from '../../src/catalog/index.ts';
import { secretText, share, wholeNumber } from '../../src/config/kinds.ts';
import { checkCatalog } from '../../src/definition/check-catalog.ts';
import { actionOn, startOn } from '../../src/definition/events.ts';
import { probesV1 } from '../fixtures/probes.ts';

const fault =
  (...definitions: Parameters<typeof checkCatalog>[0]) =>
  () =>
    checkCatalog(definitions);

const secret = secretText.optional().describe('A key.');

describe('the catalog', () => {
  it('of Portico is fine', () => {
    expect(() => checkCatalog(catalog)).not.toThrow();
    expect(fault(probesV1)).not.toThrow();
  });

  it('names two definitions of one process and version', () => {
    expect(fault(probesV1, { ...probesV1, collection: 'others' })).toThrow(
      'the process probes version 1 is declared twice',
    );
  });

  it('names two definitions of one resource', () => {
    expect(fault(probesV1, { ...probesV1, name: 'others', collection: 'others' })).toThrow(
      'the resource probe version 1 is declared twice',
    );
  });

  it('names two definitions at one address', () => {
    expect(fault(probesV1, { ...probesV1, name: 'others' })).toThrow('the address /v1/probes is declared twice');
  });

  it('names a process that has the name or the address of a resource', () => {
    const message = 'process schedules version 1: the name schedules is that of a resource';
    expect(fault({ ...probesV1, name: 'schedules' })).toThrow(message);
    expect(fault({ ...probesV1, collection: 'accounts' })).toThrow('the name accounts is that of a resource');
  });

  it('takes a second version beside the first', () => {
    expect(fault(probesV1, { ...probesV1, version: 2 })).not.toThrow();
  });

  it('names an event type that two processes take, one that no producer can name, and an action that is unknown', () => {
    const asked = startOn({ type: 'probe.asked', summary: 'x', data: z.unknown(), starts: () => ({ probeId: 'x' }) });
    const stray = actionOn({ ...asked, type: 'probe gone', action: 'explode', id: () => 'x', body: () => ({}) });
    const taken = fault({ ...probesV1, events: [asked] }, { ...probesV1, version: 2, events: [asked] });
    expect(taken).toThrow('the event type probe.asked is declared twice');
    const strange = fault({ ...probesV1, events: [stray] });
    expect(strange).toThrow('the event type "probe gone" is not 1 to 255 visible ASCII characters');
    expect(strange).toThrow('the event probe gone is the unknown action explode');
    expect(fault({ ...probesV1, events: [asked] })).not.toThrow();
  });

  it('names a key field that the input lacks, and the fields there are', () => {
    const key = { from: 'body', field: 'orderId' } as const;
    expect(fault({ ...probesV1, key })).toThrow(
      'process probes version 1: the key field orderId is not a field of the input (probeId, mode, color)',
    );
  });

  it('names a key field that may be missing', () => {
    expect(fault({ ...probesV1, key: { from: 'body', field: 'color' } })).toThrow('the key field color is optional');
  });

  it('names labels without a field, and labels that hide a filter', () => {
    const labels = { shade: 'shade', status: 'color' };
    expect(fault({ ...probesV1, labels })).toThrow('the label shade names the unknown field shade');
    expect(fault({ ...probesV1, labels })).toThrow('the label status is the name of a list filter');
  });

  it('names a step without its action, a taken name, a name that fits no URL, and a share that is none', () => {
    const steps = { waiting: { label: 'Waiting', actions: ['explode'] } };
    expect(fault({ ...probesV1, steps })).toThrow('the step waiting offers the unknown action explode');
    const action = { summary: 's', input: probesV1.input, output: probesV1.input, repetition: 'once' as const };
    for (const verb of ['result', 'start', 'timeline', 'retry']) {
      const taken = `the name ${verb} is taken by every process`;
      expect(fault({ ...probesV1, actions: { [verb]: action } })).toThrow(taken);
      expect(fault({ ...probesV1, views: { [verb]: action } })).toThrow(taken);
    }
    expect(fault({ ...probesV1, collection: 'Probes!' })).toThrow('the name Probes! is not kebab-case');
    expect(fault({ ...probesV1, steps: {} })).toThrow('no step is declared');
    const implementations = [{ workflow: 'probesAnew', when: { share: 20 } }];
    expect(fault({ ...probesV1, implementations })).toThrow('the share of probesAnew is not between 0 and 1');
  });

  it('names the rule whose field does not exist, also inside another', () => {
    const withField = (field: string) => ({
      ...probesV1,
      implementations: [{ workflow: 'probesAnew', when: { field, equals: 'x' } }],
    });
    expect(fault(withField('colour'))).toThrow('the rule of probesAnew names the unknown field colour');
    expect(fault(withField('color.depth'))).toThrow('the rule of probesAnew names the unknown field color.depth');
    expect(fault(withField('color'))).not.toThrow();
  });

  it('names the rule whose share is no setting of its process, or a setting of something else', () => {
    const settings = z.object({
      newShare: share.prefault('0').describe('How many.'),
      tries: wholeNumber(0, 9).prefault('3').describe('Tries at most.'),
    });
    const withShare = (shareSetting: string) => ({
      ...probesV1,
      settings,
      implementations: [{ workflow: 'probesAnew', when: { shareSetting } }],
    });
    for (const wrong of ['tries', 'oldShare'])
      expect(fault(withShare(wrong))).toThrow(`the rule of probesAnew names ${wrong}, which is no setting of a share`);
    expect(fault(withShare('newShare'))).not.toThrow();
  });

  describe('with settings', () => {
    const tries = wholeNumber(1, 9).prefault('3').describe('Tries at most.');
    const settings = z.object({ tries });
    const others = { ...probesV1, name: 'others', collection: 'others', singular: 'other' };

    it('takes one schema for all versions of a process, and refuses two', () => {
      const second = { ...probesV1, version: 2 };
      expect(fault({ ...probesV1, settings }, { ...second, settings })).not.toThrow();
      expect(fault({ ...probesV1, settings }, second)).not.toThrow();
      expect(fault({ ...probesV1, settings }, { ...second, settings: z.object({ pause: tries }) })).toThrow(
        'process probes version 2: another version declares other settings',
      );
    });

    it('refuses one schema for two processes', () => {
      expect(fault({ ...probesV1, settings }, { ...others, settings })).toThrow(
        'process others version 1: its settings are those of probes',
      );
    });

    it.each([
      ['of two processes', 'probes-x', { tries }, 'probes', { xTries: tries }, 'PORTICO_PROBES_X_TRIES'],
      ['beside a file', 'probes', { key: secret, keyFile: tries }, 'others', {}, 'PORTICO_PROBES_KEY_FILE'],
    ])('names a setting that is declared twice: %s', (_what, name, one, otherName, other, expected) => {
      const first = { ...probesV1, name, settings: z.object(one) };
      const second = { ...others, name: otherName, settings: z.object(other) };
      expect(fault(first, second)).toThrow(`the setting ${expected} is declared twice`);
    });

    it.each([
      ["one of Portico's own", 'worker', { grace: tries }, "the setting PORTICO_WORKER_GRACE is one of Portico's own"],
      [
        "a secret beside one of Portico's own",
        'cursor',
        { secret },
        "the setting PORTICO_CURSOR_SECRET_FILE is one of Portico's own",
      ],
      ['no camelCase', 'probes', { 'max-tries': tries }, 'the setting max-tries is not in camelCase'],
      [
        'no meaning',
        'probes',
        { tries: wholeNumber(1, 9) },
        'the setting PORTICO_PROBES_TRIES does not say what it means',
      ],
      [
        'a secret that all know',
        'probes',
        { key: secret.prefault('x') },
        'the secret PORTICO_PROBES_KEY has a default',
      ],
    ])('refuses %s', (_what, name, shape, message) => {
      expect(fault({ ...probesV1, name, settings: z.object(shape) })).toThrow(message);
    });
  });

  it('names details without what prepares them, and details that hide a field of every instance', () => {
    const prepare = () => Promise.resolve({});
    expect(fault({ ...probesV1, details: z.object({ size: z.int() }) })).toThrow(
      'details are declared, and no prepare',
    );
    expect(fault({ ...probesV1, prepare })).toThrow('prepare gives details, and none are declared');
    expect(fault({ ...probesV1, prepare, details: z.object({ step: z.string() }) })).toThrow(
      'the detail step is a field of every instance',
    );
    expect(fault({ ...probesV1, prepare, details: z.object({ size: z.int() }) })).not.toThrow();
  });

  it('reports everything at once', () => {
    const broken = { ...probesV1, steps: {}, labels: { shade: 'shade' } };
    expect(fault(broken, broken)).toThrow(/declared twice[\s\S]*shade[\s\S]*no step/);
  });
});
