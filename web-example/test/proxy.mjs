// A TCP proxy that simulates a bad connection: it can cut it, slow it down, or stall it after so many bytes.

import { once } from 'node:events';
import { connect, createServer } from 'node:net';

/**
 * Forwards everything to a port of this machine, which `target` returns: undefined while nothing listens there.
 *
 * A test that needs "the middle of an upload" uses limit(): each connection forwards that many bytes
 * of its client, then stalls. So an upload can't end before the test has done what it does in the middle, and other
 * requests, on separate connections, still get through. What was forwarded may not have been read yet, or not
 * committed: a test that needs it to be there waits for stage.committed().
 */
export async function startProxy(target) {
  const connections = new Set(); // of { client, upstream, left, wake }
  let refusing = false;
  let limit = Infinity;
  let together = Infinity; // what all connections may still forward
  let rate = Infinity;
  let stopped = () => {};

  const server = createServer((client) => {
    const port = target();
    if (refusing || !port) return client.resetAndDestroy();
    const upstream = connect(port, '127.0.0.1');
    const connection = { client, upstream, left: limit, wake: () => {} };
    connections.add(connection);
    const close = () => {
      connections.delete(connection);
      client.destroy();
      upstream.destroy();
      connection.wake();
    };
    for (const socket of [client, upstream]) socket.on('error', close).on('close', close);
    upstream.pipe(client);
    uplink(connection).catch(close);
  });

  async function uplink(connection) {
    const { client, upstream } = connection;
    for await (let bytes of client) {
      while (bytes.length > 0) {
        if (client.destroyed) return;
        if (connection.left === 0 || together === 0) {
          stopped();
          await new Promise((wake) => { connection.wake = wake; });
          continue;
        }
        const now = bytes.subarray(0, Math.min(bytes.length, connection.left, together));
        bytes = bytes.subarray(now.length);
        connection.left -= now.length;
        together -= now.length;
        if (!upstream.write(now)) await once(upstream, 'drain');
        if (rate !== Infinity) await new Promise((next) => setTimeout(next, (now.length / rate) * 1000));
      }
    }
    upstream.end();
  }

  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  return {
    port: server.address().port,

    /** From now on each connection stalls after this many bytes, but one that has stalled stays so. Resolves when one does. */
    limit(bytes) {
      const standing = new Promise((resolve) => { stopped = resolve; });
      limit = bytes;
      for (const connection of connections) if (connection.left > 0) connection.left = bytes;
      return standing;
    },

    /** From now on all connections together forward this many bytes, and then stall. Resolves when they do. */
    limitTogether(bytes) {
      const standing = new Promise((resolve) => { stopped = resolve; });
      together = bytes;
      return standing;
    },

    /** Bytes a second towards the server, for each connection. */
    slow(bytesPerSecond) {
      rate = bytesPerSecond;
    },

    /** Cuts every connection and refuses new ones until restore(). */
    cut() {
      refusing = true;
      for (const { client, upstream } of connections) {
        client.resetAndDestroy();
        upstream.destroy();
      }
    },

    /**
     * Cuts the stalled connections. The rest of the upload of a client that has disconnected may still be in the
     * kernel's buffers: without the cut it would be forwarded after restore().
     */
    drop() {
      for (const { client, upstream, left } of connections) {
        if (left > 0 && together > 0) continue;
        client.resetAndDestroy();
        upstream.destroy();
      }
    },

    /** Ends all disturbances. */
    restore() {
      refusing = false;
      rate = Infinity;
      limit = Infinity;
      together = Infinity;
      for (const connection of connections) {
        connection.left = Infinity;
        connection.wake();
      }
    },

    async close() {
      this.cut();
      server.close();
      await once(server, 'close');
    },
  };
}
