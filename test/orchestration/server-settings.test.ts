import { describe, expect, it } from 'vitest';
import { headersFor, type ServerSettings, targetOf } from '../../src/orchestration/server-settings.ts';

const address = '127.0.0.1:7233';

describe('what the settings say of the server', () => {
  it.each<[string, ServerSettings, string]>([
    ['a port of 0', { address: 'temporal.test:0' }, 'port that none can have: 0'],
    ['a port beyond the last', { address: 'temporal.test:65536' }, 'port that none can have: 65536'],
    ['a scheme', { address: 'http://temporal.test:7233' }, 'no host:port'],
    [
      'an authority that is no certificate',
      { address, tls: { serverRootCACertificate: Buffer.from('x') } },
      'the certificates for Temporal cannot be read: ',
    ],
    [
      'a certificate that is none',
      { address, tls: { clientCertPair: { crt: Buffer.from('x'), key: Buffer.from('y') } } },
      'the certificates for Temporal cannot be read: ',
    ],
  ])('is refused at once with %s', (_name, settings, words) => {
    expect(() => targetOf(settings)).toThrow(words);
  });

  it('is its host and port, and 7233 without one', () => {
    expect(targetOf({ address: 'temporal.test' })).toEqual({ host: 'temporal.test', port: 7233 });
    expect(targetOf({ address: '[::1]:65535' })).toMatchObject({ port: 65_535 });
  });
});

describe('the headers of each request', () => {
  it.each<[string, ServerSettings]>([
    ['an API key that ends in a line feed', { address, apiKey: 'key\n' }],
    ['a header with a carriage return', { address, metadata: { 'x-route': 'a\rb' } }],
    ['a header of other letters', { address, metadata: { 'x-route': 'Zoë' } }],
  ])('cannot carry %s, and the message does not tell it', (_name, settings) => {
    const act = () => headersFor(settings, targetOf(settings));
    expect(act).toThrow(/^(the API key|x-route) has characters that no header can carry$/);
  });
});
