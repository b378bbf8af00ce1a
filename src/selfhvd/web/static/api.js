// The server, as everything on the page asks it.

export class Refused extends Error {
  constructor(status, words) {
    super(words);
    this.status = status;
  }
}

async function ask(method, path, body) {
  const options = { method, headers: {}, credentials: "same-origin" };
  if (body !== undefined) {
    options.body = JSON.stringify(body);
    options.headers["Content-Type"] = "application/json";
  }
  let answer;
  try {
    answer = await fetch(path, options);
  } catch {
    throw new Refused(0, "The server does not answer. Clips that are being restored go on; this page looks again.");
  }
  if (answer.ok) return answer.status === 204 ? null : answer.json();
  throw new Refused(answer.status, await sentence(answer));
}

async function sentence(answer) {
  try {
    return (await answer.json()).error;
  } catch {
    return `The server answered ${answer.status}.`;
  }
}

export const jobs = () => ask("GET", "/api/jobs");
export const job = (id) => ask("GET", `/api/jobs/${id}`);
export const limits = () => ask("GET", "/api/limits");
export const paths = () => ask("GET", "/api/paths");
export const session = () => ask("GET", "/api/session");
export const signIn = (token) => ask("POST", "/api/session", { token });
export const signOut = () => ask("DELETE", "/api/session");
export const start = (id, settings) => ask("POST", `/api/jobs/${id}/start`, settings ?? undefined);
export const wish = (id, what) => ask("POST", `/api/jobs/${id}/${what}`);
export const remove = (id) => ask("DELETE", `/api/jobs/${id}`);
export const usePath = (path) => ask("POST", "/api/paths", { path });

/** Send a clip; `told` hears the share that has gone. The job, or an error in words. */
export function send(file, told, signal) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", `/api/jobs?name=${encodeURIComponent(file.name)}`);
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.responseType = "json";
    request.upload.onprogress = (event) => told(event.lengthComputable ? event.loaded / event.total : 0);
    request.onload = () => {
      if (request.status === 201) resolve(request.response);
      else reject(new Refused(request.status, request.response?.error || `The server answered ${request.status}.`));
    };
    request.onerror = () => reject(new Refused(0, "The clip could not be sent: it was cut off, by the server or on the way to it."));
    request.onabort = () => reject(new Refused(0, "Not sent."));
    signal.addEventListener("abort", () => request.abort());
    request.send(file);
  });
}
