# One static binary, no shell, not root.
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -tags nomsgpack -trimpath -ldflags '-s -w' -o /out/guanxi ./cmd/guanxi && mkdir -p /out/data

FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=build /out/guanxi /usr/local/bin/guanxi
COPY --from=build --chown=nonroot:nonroot /out/data /data
USER nonroot
VOLUME /data
ENV GUANXI_DIR=/data GUANXI_LISTEN=0.0.0.0:8080
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s CMD ["/usr/local/bin/guanxi", "doctor", "--live"]
ENTRYPOINT ["/usr/local/bin/guanxi"]
CMD ["serve"]
