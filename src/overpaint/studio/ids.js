/** Names that nothing else has. */

/** 128 random bits, as hexadecimal digits. `crypto.randomUUID` is not there over a network without TLS. */
export function newId() {
  const numbers = crypto.getRandomValues(new Uint8Array(16));
  return [...numbers].map((number) => number.toString(16).padStart(2, "0")).join("");
}
