// Where the server asks for a token.

import * as api from "./api.js";
import { complain, h } from "./dom.js";

export function signInView(entered) {
  const token = h("input", { type: "password", id: "token", autocomplete: "current-password", required: true });
  const enter = async (event) => {
    event.preventDefault();
    try {
      await api.signIn(token.value);
      complain("");
      entered();
    } catch (error) {
      complain(error.message);
      token.select();
    }
  };
  const form = h(
    "form",
    { class: "card narrow", onsubmit: enter },
    h("h1", {}, "Sign in"),
    h("p", {}, "This page is opened with a token; who started the server has it."),
    h("label", { for: "token" }, "Token"),
    token,
    h("button", { class: "main" }, "Sign in"),
  );
  return { element: form, title: "Sign in", update() {} };
}
