
const fetcher = async (request, { headers } = {}) => {
  const reply = await fetch(location.pathname, {
    method: "POST",
    headers: { accept: "application/graphql-response+json, application/json, application/problem+json", "content-type": "application/json", ...headers },
    body: JSON.stringify(request),
  });
  return reply.json();
};
// Headers hold tokens: they are forgotten with the page.
const editor = React.createElement(GraphiQL, { fetcher, defaultEditorToolsVisibility: "headers", shouldPersistHeaders: false });
ReactDOM.createRoot(document.getElementById("graphiql")).render(editor);
