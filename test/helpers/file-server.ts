/** HTTP servers of this machine, for what downloads: one that has files, with the faults that servers have, and a proxy. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { setTimeout } from 'node:timers/promises';

export interface ServerFaults {
  /** Takes no notice of Range. */
  noRanges?: boolean;
  /** Ends each body after so many bytes, and says that there would be more. */
  cutAfter?: number;
  /** Between pieces of a kilobyte. */
  pauseMs?: number;
  /** Of every answer. */
  status?: number;
  /** Says no length: the body ends when it ends. */
  noLength?: boolean;
}

export interface FileServer {
  readonly url: string;
  /** 'PATH' or 'PATH bytes=5-', in their order. */
  readonly requests: string[];
  /** 'NAME:PASSWORD' of those that had one. */
  readonly logins: string[];
  readonly faults: ServerFaults;
  close(): void;
}

async function listen(server: Server): Promise<string> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** `files`: by path, '/torch/'. */
export async function serveFiles(
  files: Record<string, Buffer | string>,
  faults: ServerFaults = {},
): Promise<FileServer> {
  const requests: string[] = [];
  const logins: string[] = [];
  const server = createServer(async (request, response) => {
    const path = decodeURIComponent(request.url!);
    const range = request.headers.range;
    requests.push(range ? `${path} ${range}` : path);
    const login = /^Basic (.*)$/.exec(request.headers.authorization ?? '')?.[1];
    if (login) logins.push(Buffer.from(login, 'base64').toString());
    const found = files[path];
    if (found === undefined || faults.status) {
      response.writeHead(faults.status ?? 404).end('not here');
      return;
    }
    const all = Buffer.from(found);
    const from = range && !faults.noRanges ? Number(/bytes=(\d+)-/.exec(range)![1]) : 0;
    if (from >= all.length && from > 0) {
      response.writeHead(416, { 'content-range': `bytes */${all.length}` }).end();
      return;
    }
    const body = all.subarray(from);
    response.writeHead(from > 0 ? 206 : 200, {
      'content-type': path.endsWith('/') ? 'text/html' : 'application/octet-stream',
      ...(faults.noLength ? {} : { 'content-length': body.length }),
      ...(from > 0 ? { 'content-range': `bytes ${from}-${all.length - 1}/${all.length}` } : {}),
    });
    const sent = body.subarray(0, faults.cutAfter ?? body.length);
    for (let at = 0; at < sent.length; at += 1024) {
      if (faults.pauseMs) await setTimeout(faults.pauseMs);
      response.write(sent.subarray(at, at + 1024));
    }
    // What is cut has to arrive before the end of the connection does.
    if (sent.length < body.length) response.write('', () => setTimeout(20).then(() => response.destroy()));
    else response.end();
  });
  const url = await listen(server);
  return {
    url,
    requests,
    logins,
    faults,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** A proxy that opens tunnels (CONNECT); `tunnels`: to where. */
export async function serveProxy(): Promise<{ url: string; tunnels: string[]; close(): void }> {
  const tunnels: string[] = [];
  const server = createServer().on('connect', (request, client) => {
    tunnels.push(request.url!);
    const [host, port] = request.url!.split(':');
    const target = connect(Number(port), host, () => {
      client.write('HTTP/1.1 200 OK\r\n\r\n');
      target.pipe(client).pipe(target);
    });
    for (const socket of [client, target]) socket.on('error', () => socket.destroy());
  });
  const url = await listen(server);
  return {
    url,
    tunnels,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
