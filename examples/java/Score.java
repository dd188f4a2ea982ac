import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;

/**
 * Scores rows with a model that takes one tensor for each feature, with nothing but the JDK (17 or newer):
 *
 * <pre>java examples/java/Score.java localhost:8000 ranker_raw click</pre>
 *
 * Publish the model with {@code polyrank publish BUNDLE REPOSITORY --name ranker --raw}. Values travel as bytes behind a
 * JSON header, in Triton's binary extension: nothing is escaped, and floats arrive bit for bit.
 */
public final class Score {
    private static final int PADDING = -1; // of lists of numbers; "" pads lists of texts

    public static void main(String[] arguments) throws Exception {
        if (arguments.length != 3) {
            System.err.println("usage: java Score.java HOST:PORT MODEL TASK");
            System.exit(2);
        }
        // Three videos for one user. Every tensor may be left out: its feature is missing then.
        List<Tensor> rows = List.of(
            Tensor.ofNumbers("user_id", 1, 46, 46, 46),
            Tensor.ofNumbers("history", 3, 349, 12, PADDING, 349, 12, PADDING, 349, 12, PADDING),
            Tensor.ofNumbers("video_id", 1, 7051, 3325, 120),
            Tensor.ofTexts("tags", 2, "29", "", "39", "11", "", ""),
            Tensor.ofFloats("duration_ms", 1, 65_666, 56_900, Float.NaN)); // NaN is missing
        try {
            for (float score : score("http://" + arguments[0], arguments[1], arguments[2], rows)) {
                System.out.println(score);
            }
        } catch (IOException error) {
            String reason = Objects.requireNonNullElse(error.getMessage(), "no server answers");
            System.err.println("no scores of " + arguments[1] + " at " + arguments[0] + ": " + reason);
            System.exit(1);
        }
    }

    /** One tensor of shape [rows, width], its values row by row as they go over the wire. */
    record Tensor(String name, String datatype, int rows, int width, byte[] bytes) {
        static Tensor ofNumbers(String name, int width, long... values) {
            ByteBuffer bytes = littleEndian(Long.BYTES * values.length);
            for (long value : values) {
                bytes.putLong(value);
            }
            return new Tensor(name, "INT64", values.length / width, width, bytes.array());
        }

        static Tensor ofFloats(String name, int width, float... values) {
            ByteBuffer bytes = littleEndian(Float.BYTES * values.length);
            for (float value : values) {
                bytes.putFloat(value);
            }
            return new Tensor(name, "FP32", values.length / width, width, bytes.array());
        }

        static Tensor ofTexts(String name, int width, String... values) {
            ByteArrayOutputStream bytes = new ByteArrayOutputStream();
            for (String value : values) {
                byte[] text = value.getBytes(StandardCharsets.UTF_8);
                bytes.writeBytes(littleEndian(Integer.BYTES).putInt(text.length).array());
                bytes.writeBytes(text);
            }
            return new Tensor(name, "BYTES", values.length / width, width, bytes.toByteArray());
        }

        String header() {
            return """
                {"name": "%s", "datatype": "%s", "shape": [%d, %d], "parameters": {"binary_data_size": %d}}"""
                .formatted(name, datatype, rows, width, bytes.length);
        }
    }

    private static final HttpClient CLIENT = HttpClient.newHttpClient(); // keeps connections; share it

    /** Asks for one task of every row; the error of a refused request is the server's own line. */
    static float[] score(String url, String model, String task, List<Tensor> tensors)
            throws IOException, InterruptedException {
        List<String> headers = new ArrayList<>();
        tensors.forEach(tensor -> headers.add(tensor.header()));
        byte[] json = """
            {"inputs": [%s], "outputs": [{"name": "%s", "parameters": {"binary_data": true}}]}"""
            .formatted(String.join(", ", headers), task).getBytes(StandardCharsets.UTF_8);
        ByteArrayOutputStream body = new ByteArrayOutputStream();
        body.writeBytes(json);
        tensors.forEach(tensor -> body.writeBytes(tensor.bytes()));
        HttpRequest request = HttpRequest.newBuilder(URI.create(url + "/v2/models/" + model + "/infer"))
            .header("Inference-Header-Content-Length", String.valueOf(json.length))
            .timeout(Duration.ofSeconds(2))
            .POST(HttpRequest.BodyPublishers.ofByteArray(body.toByteArray()))
            .build();
        return scores(CLIENT.send(request, HttpResponse.BodyHandlers.ofByteArray()));
    }

    /** Takes the floats behind the JSON header of an answer. */
    private static float[] scores(HttpResponse<byte[]> answer) throws IOException {
        if (answer.statusCode() != 200) {
            throw new IOException(new String(answer.body(), StandardCharsets.UTF_8)); // {"error": "..."}
        }
        int start = (int) answer.headers().firstValueAsLong("Inference-Header-Content-Length").orElseThrow();
        ByteBuffer bytes = ByteBuffer.wrap(answer.body()).order(ByteOrder.LITTLE_ENDIAN).position(start);
        float[] scores = new float[bytes.remaining() / Float.BYTES];
        bytes.asFloatBuffer().get(scores);
        return scores;
    }

    private static ByteBuffer littleEndian(int size) {
        return ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN);
    }
}
