// Requests to the review server, one after the other; the page's address holds the token, so addresses are relative.

let last = Promise.resolve();

async function answered(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw new Error("The review server does not answer. What was done is kept: start detect.review again, and open its address.");
  }
  const data = await response.json().catch(() => ({ error: `the server answered ${response.status}` }));
  if (!response.ok) throw new Error(data.error ?? `the server answered ${response.status}`);
  return data;
}

export function get(path) {
  return answered(path, { cache: "no-store" });
}

export function post(path, body) {
  const request = () =>
    answered(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
  last = last.then(request, request);
  return last;
}
