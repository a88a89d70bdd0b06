import { connect as connectPlain, isIP, type Socket } from 'node:net';
import { connect as connectTls, type SecureContext } from 'node:tls';

/** Where the server is, and how it is to be trusted. */
export interface Target {
  readonly host: string;
  readonly port: number;
  /** Absent where the connection is not encrypted. */
  readonly tls?: TlsSettings | undefined;
}

interface TlsSettings {
  /** Whom the server's certificate may come from, and the certificate of this client. */
  readonly secureContext: SecureContext;
  /** The name in the server's certificate, where it is not the host. */
  readonly serverName?: string | undefined;
}

/** Begins a connection. What goes wrong is told as an error of the socket. */
export const dial = ({ host, port, tls }: Target): Socket =>
  tls === undefined ? connectPlain({ host, port, noDelay: true }) : dialTls(host, port, tls);

function dialTls(host: string, port: number, { secureContext, serverName }: TlsSettings): Socket {
  // An address is no name to ask for by TLS. It is checked against the certificate all the same.
  const servername = serverName ?? (isIP(host) === 0 ? host : undefined);
  const socket = connectTls({
    host,
    port,
    ALPNProtocols: ['h2'],
    secureContext,
    ...(servername === undefined ? {} : { servername }),
  });
  socket.setNoDelay(true);
  socket.once('secureConnect', () => {
    if (socket.alpnProtocol !== 'h2') socket.destroy(new Error('the server does not offer HTTP/2'));
  });
  return socket;
}
