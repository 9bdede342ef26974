// Ways to call a method: the libraries of Connect, and of gRPC-Web by its own authors. Each is `call(method, request, token, headers)`.
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import * as node from "@connectrpc/connect-node";
import * as web from "@connectrpc/connect-web";
import grpcWeb from "grpc-web";
import xhr2 from "xhr2";

const gzip = { sendCompression: node.compressionGzip, compressMinBytes: 0 };
const http = { httpVersion: "1.1" };

export function transports(baseUrl) {
  const connect = {
    "Connect, JSON": node.createConnectTransport({ baseUrl, ...http, useBinaryFormat: false }),
    "Connect, binary, gzip": node.createConnectTransport({ baseUrl, ...http, ...gzip, useBinaryFormat: true }),
    "Connect, JSON, GET": node.createConnectTransport({ baseUrl, ...http, useBinaryFormat: false, useHttpGet: true }),
    "Connect, binary, GET, gzip": node.createConnectTransport({ baseUrl, ...http, ...gzip, useBinaryFormat: true, useHttpGet: true }),
    "gRPC-Web, binary": node.createGrpcWebTransport({ baseUrl, ...http }),
    "gRPC-Web, JSON, gzip": node.createGrpcWebTransport({ baseUrl, ...http, ...gzip, useBinaryFormat: false }),
    "Connect for browsers, JSON": web.createConnectTransport({ baseUrl }),
    "Connect for browsers, binary, GET": web.createConnectTransport({ baseUrl, useBinaryFormat: true, useHttpGet: true }),
    "gRPC-Web for browsers": web.createGrpcWebTransport({ baseUrl }),
  };
  const calls = Object.entries(connect).map(([name, transport]) => [name, ofConnect(transport)]);
  return [...calls, ["grpc-web, text", ofGrpcWeb(baseUrl, "text")], ["grpc-web, binary", ofGrpcWeb(baseUrl, "binary")]];
}

function ofConnect(transport) {
  return (method, request, token, headers = {}) => {
    const all = token ? { ...headers, authorization: `Bearer ${token}` } : headers;
    return createClient(method.parent, transport)[method.localName](request, { headers: all });
  };
}

// The library is for browsers.
globalThis.XMLHttpRequest = xhr2.XMLHttpRequest;

function ofGrpcWeb(baseUrl, format) {
  const client = new grpcWeb.GrpcWebClientBase({ format });
  return async (method, request, token, headers = {}) => {
    const path = `${baseUrl}/${method.parent.typeName}/${method.name}`;
    const all = token ? { ...headers, authorization: `Bearer ${token}` } : headers;
    const descriptor = new grpcWeb.MethodDescriptor(
      path,
      grpcWeb.MethodType.UNARY,
      Object,
      Object,
      (message) => toBinary(method.input, message),
      (bytes) => fromBinary(method.output, bytes),
    );
    try {
      return await client.unaryCall(path, create(method.input, request), all, descriptor);
    } catch (error) {
      throw new ConnectError(error.message, error.code ?? Code.Unknown, error.metadata ?? {});
    }
  };
}
