// The connection to the program: requests are numbered; answers come as JSON, masks as bytes.

const REFUSED = 4000;
let socket = null;
let number = 0;

// `handlers`: a function for each kind of message, and `mask(header, runs)`, `gone(sentence, refused)`, `back()`.
export function connect(handlers) {
  const opened = new WebSocket(`ws://${location.host}/talk`);
  opened.binaryType = "arraybuffer";
  socket = opened;
  let welcome = false;
  opened.onmessage = ({ data }) => {
    if (typeof data === "string") {
      const { kind, ...what } = JSON.parse(data);
      if (kind === "welcome") {
        welcome = true;
        handlers.back();
      }
      handlers[kind]?.(what);
    } else {
      const length = new DataView(data).getUint32(0, true);
      const header = JSON.parse(new TextDecoder().decode(new Uint8Array(data, 4, length)));
      handlers.frame(header, new Uint32Array(data, 4 + length));
    }
  };
  opened.onclose = ({ code, reason }) => {
    if (socket !== opened) return;
    socket = null;
    if (code === REFUSED) handlers.gone(reason, true);
    else handlers.gone(welcome ? "The program has ended, or cannot be reached. What was accepted is saved, and the clicks too." : "The program cannot be reached, or was started again: then open the address that it prints now.", false);
  };
}

export function connected() {
  return socket !== null && socket.readyState === WebSocket.OPEN;
}

// Returns the number of the request; 0 if there is no connection.
export function ask(what, more = {}) {
  if (!connected()) return 0;
  number += 1;
  socket.send(JSON.stringify({ n: number, do: what, ...more }));
  return number;
}
