const reasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'refused',
  ECONNRESET: 'reset',
  EHOSTUNREACH: 'unreachable',
  ENETUNREACH: 'unreachable',
  ENOTFOUND: 'host-unknown',
  EAI_AGAIN: 'host-unknown',
  ETIMEDOUT: 'timeout',
  320: 'closed-by-broker',
};

/**
 * Why there is no connection, in one word. The texts of the broker and the library are not passed on: they name the user,
 * the host and the virtual host.
 */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'lost';
  if (error.message === 'timeout') return 'timeout';
  if (error.message.startsWith('Handshake terminated by server: 403')) return 'login-refused';
  if (error.message.startsWith('Expected ConnectionOpenOk')) return 'virtual-host-refused';
  if (error.message.startsWith('Heartbeat timeout')) return 'silent';
  const code = 'code' in error ? String(error.code) : '';
  return reasons[code] ?? (/CERT|TLS|SSL|SIGNATURE/.test(code) ? 'certificate-refused' : 'lost');
}
