/** All texts that the page shows, in one place. What the server says (help, names, errors) comes from the server. */

export const words = {
  title: "Overpaint",
  loading: "The model is being loaded …",
  ready: "Ready",
  close: "Close",
  apply: "Apply",

  errors: {
    unreachable: "The server cannot be reached. Your work is kept here; it goes on when the server is back.",
    /** @param {number} status */
    status: (status) => `The server answered with ${status} and no reason.`,
    unexpected: "Something in this page went wrong. Your picture and your edits are still there.",
  },

  key: {
    title: "API key",
    wanted: "This server wants an API key. It is kept for this tab alone.",
    wrong: "The server does not know this key.",
    label: "Key",
    send: "Use it",
  },

  help: {
    title: "Keyboard",
    open: "Help",
    and: "Everything can be done by keyboard: Tab goes from control to control, arrows move sliders and the picture.",
  },
};
