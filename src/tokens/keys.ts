import type { JwtConfig } from '../config/config.ts';
import type { Algorithm } from '../config/key-algorithms.ts';
import type { Logger } from '../observability/logger.ts';
import { createJwks } from './jwks.ts';
import type { VerificationKeys } from './verification-keys.ts';

/** The keys that the configuration names. Nothing is fetched before the first question. */
export function createVerificationKeys(options: {
  jwt: Pick<JwtConfig, 'algorithms' | 'keys'>;
  logger: Pick<Logger, 'warn'>;
}): VerificationKeys {
  const { keys, algorithms } = options.jwt;
  switch (keys.kind) {
    case 'jwks':
      return createJwks({ url: keys.url, algorithms, logger: options.logger });
    case 'public-key':
      return oneKey(keys.pem, algorithms);
    case 'secret':
      return oneKey(keys.secret.reveal(), algorithms);
  }
}

/** The same key for every token, whatever its key id. It serves one algorithm. */
function oneKey(key: string | Buffer, [algorithm, ...others]: readonly Algorithm[]): VerificationKeys {
  if (algorithm === undefined || others.length > 0) throw new Error('a single key serves exactly one algorithm');
  if (algorithm.startsWith('HS') !== Buffer.isBuffer(key)) throw new Error('the algorithm does not fit the key');
  const keys = {};
  return {
    current: () => keys,
    keyFor: ({ alg }) => (alg === algorithm ? Promise.resolve(key) : Promise.reject(new Error('another algorithm'))),
    check: () => Promise.resolve(),
  };
}
