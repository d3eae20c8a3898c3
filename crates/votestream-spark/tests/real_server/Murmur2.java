// What Kafka's own Utils say of keys: lines of hexadecimal bytes come in, lines of "murmur2 partition…" go out, a partition for each count
// that an argument gives.
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.HexFormat;
import org.apache.kafka.common.utils.Utils;

public class Murmur2 {
    public static void main(String[] counts) throws Exception {
        BufferedReader keys = new BufferedReader(new InputStreamReader(System.in));
        StringBuilder answers = new StringBuilder();
        for (String key = keys.readLine(); key != null; key = keys.readLine()) {
            int hash = Utils.murmur2(HexFormat.of().parseHex(key));
            answers.append(hash);
            for (String count : counts) {
                answers.append(' ').append(Utils.toPositive(hash) % Integer.parseInt(count));
            }
            answers.append('\n');
        }
        System.out.print(answers);
    }
}
